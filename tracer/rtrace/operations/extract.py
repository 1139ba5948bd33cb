"""Fetching single files out of a bundle, reading no more of it than that takes."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.bundle.data.sparse import ZEROS
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.resolving import resolve_path
from rtrace.elsewhere.sources import NO_SOURCES, Sources, find_places, read_content
from rtrace.errors import BundleError
from rtrace.files.incomplete import Incomplete
from rtrace.files.patterns import Patterns
from rtrace.interrupts import held
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rtrace.bundle.protocol import OpenBundle

_PERMISSIONS = 0o777
_SPECIAL = re.compile(rb"[*?\[\\]")


def find_entries(bundle: OpenBundle, wanted: Sequence[bytes]) -> tuple[Entry, ...]:
    """Find the regular files at paths of a bundle, below its folders, and at patterns, in the order of the bundle.

    A path may lead through symlinks of the bundle, as it did for the run. Raises BundleError for a path that is not
    there and for a pattern that matches no file.
    """
    found: dict[bytes, Entry] = {}
    for name in wanted:
        is_path = name.startswith(b"/") and not _SPECIAL.search(name)
        pattern = _escape(resolve_path(bundle, name)) if is_path or bundle.find(name) else name
        matching = [entry for entry in _match(bundle, pattern) if entry.type is FileType.REGULAR]
        if not matching:
            raise BundleError(
                f"{bundle.path} holds no file {printable(name)}; `rtrace list` shows what it holds"
                if is_path
                else f"no file in {bundle.path} matches {printable(name)}; `rtrace list` shows what it holds"
            )
        found.update((entry.path, entry) for entry in matching)
    return tuple(found[path] for path in sorted(found))


def write_file(bundle: OpenBundle, entry: Entry, target: Path, sources: Sources = NO_SOURCES) -> None:
    """Write the content of an entry to a new file, whole or not at all, with its permissions and time.

    Raises BundleError, also when there is something at ``target``.
    """
    with held(lambda: Incomplete(target)) as incomplete:
        whole = incomplete.folder / "whole"
        with whole.open("xb") as file:
            for part in read_content(bundle, entry, sources):
                if part is ZEROS:  # of a hole, which stays one
                    file.seek(len(part), os.SEEK_CUR)
                else:
                    file.write(part)
            file.truncate()
        os.utime(whole, ns=(entry.mtime_ns, entry.mtime_ns))
        os.chmod(whole, entry.mode & _PERMISSIONS)
        incomplete.give_name(whole)


def write_files(
    bundle: OpenBundle,
    entries: Iterable[Entry],
    folder: Path,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
) -> tuple[Entry, ...]:
    """Write entries below a folder, by their paths; return those whose content is not in the bundle.

    No symlink is made, so that no path of a bundle leads out of the folder. Raises BundleError, and
    ElsewhereError for content that is nowhere.
    """
    entries = tuple(entries)
    find_places(bundle, entries, sources)
    without = []
    progress.start("fetching", sum(entry.size for entry in entries))
    for entry in entries:
        if entry.placeholder:
            without.append(entry)
            continue
        target = folder / os.fsdecode(entry.path[1:])
        _make_parent(target)
        write_file(bundle, entry, target, sources)
        progress.advance(entry.size)
    progress.finish()
    return tuple(without)


class Original(NamedTuple):
    """Something that a run wrote: the run, the path or the name of the stream, and the digest and the size of it."""

    run: str
    name: bytes
    sha256: str
    size: int

    @property
    def place(self) -> bytes:
        """Where it lies below a folder for several: by path, or the stream's name after the run's."""
        return self.name[1:] if self.name.startswith(b"/") else os.fsencode(self.run) + b"." + self.name


def find_originals(bundle: OpenBundle, wanted: Sequence[bytes]) -> tuple[Original, ...]:
    """Find what runs wrote at paths, below folders and at patterns, and by the names `stdout` and `stderr`.

    A name of a run and a colon before it choose that run; else of a path that several runs wrote it is the last one.
    Raises BundleError for what is not there, or of whose content the bundle has the digest alone.
    """
    found: dict[tuple[str, bytes], Original] = {}
    for name in wanted:
        run, plain = _split_run(bundle, name)
        matching = [one for one in _list_originals(bundle, run) if _means(plain, one.name)]
        if not matching:
            raise BundleError(
                f"no run of {bundle.path} wrote {printable(name)}, as far as its digest is known; "
                "`rtrace info --json` lists the outputs"
            )
        latest = {one.name if one.name.startswith(b"/") else one: one for one in matching}
        found.update(((one.run, one.name), one) for one in latest.values())
    for one in found.values():
        content = bundle.find_written(one.sha256)
        if one.size and (content is None or content.offset is None):
            raise BundleError(
                f"{bundle.path} has only the digest of what {one.run} wrote to {printable(one.name)}: it was too large "
                "(`rtrace pack --outputs-size`), is no output of the manifest, or holds a secret"
            )
    return tuple(found.values())


def read_original(bundle: OpenBundle, original: Original) -> Iterator[bytes]:
    """Yield the parts of what a run wrote. Raises BundleError."""
    content = bundle.find_written(original.sha256)
    if content is not None:  # else it is empty
        yield from bundle.read_written(content)


def write_originals(bundle: OpenBundle, originals: Iterable[Original], folder: Path) -> None:
    """Write what runs wrote below a folder, by paths, each file whole or not at all. Raises BundleError."""
    for one in originals:
        target = folder / os.fsdecode(one.place)
        _make_parent(target)
        write_original(bundle, one, target)


def write_original(bundle: OpenBundle, original: Original, target: Path) -> None:
    """Write what a run wrote to a new file, whole or not at all. Raises BundleError."""
    with held(lambda: Incomplete(target)) as incomplete:
        whole = incomplete.folder / "whole"
        with whole.open("xb") as file:
            file.writelines(read_original(bundle, original))
        incomplete.give_name(whole)


def _make_parent(target: Path) -> None:
    """Make the folders in which a file is to be. Raises BundleError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"cannot make {target.parent}: {error.strerror}; name another folder") from None


def _split_run(bundle: OpenBundle, name: bytes) -> tuple[str | None, bytes]:
    """Return the run that is named before a colon, if one is, and the rest."""
    before, colon, rest = name.partition(b":")
    runs = {os.fsencode(run.id): run.id for run in bundle.manifest.runs}
    return (runs[before], rest) if colon and before in runs else (None, name)


def _list_originals(bundle: OpenBundle, run: str | None) -> Iterator[Original]:
    """Yield all that a run, or every run, wrote and whose digest is known."""
    for one in bundle.manifest.runs:
        for name, stream in ((b"stdout", one.stdout), (b"stderr", one.stderr)):
            if run in {None, one.id} and stream is not None and stream.sha256 is not None:
                yield Original(one.id, name, stream.sha256, stream.size or 0)
    for result in bundle.results:
        if run in {None, result.run} and result.sha256 is not None:
            yield Original(result.run, result.path, result.sha256, result.size)


def _means(wanted: bytes, name: bytes) -> bool:
    if wanted == name:
        return True
    return name.startswith(b"/") and wanted.startswith((b"/", b"*")) and bool(Patterns([wanted]).match(name))


def _match(bundle: OpenBundle, pattern: bytes) -> Iterable[Entry]:
    matcher = Patterns([pattern])
    return (entry for entry in bundle.entries if matcher.match(entry.path))


def _escape(path: bytes) -> bytes:
    return _SPECIAL.sub(rb"\\\g<0>", path)
