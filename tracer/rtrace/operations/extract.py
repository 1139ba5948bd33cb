"""Fetching single files out of a bundle, reading no more of it than that takes."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

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
    from collections.abc import Iterable, Sequence
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
            file.flush()
            os.fchmod(file.fileno(), entry.mode & _PERMISSIONS)
            os.utime(file.fileno(), ns=(entry.mtime_ns, entry.mtime_ns))
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
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BundleError(f"cannot make {target.parent}: {error.strerror}; name another folder") from None
        write_file(bundle, entry, target, sources)
        progress.advance(entry.size)
    progress.finish()
    return tuple(without)


def _match(bundle: OpenBundle, pattern: bytes) -> Iterable[Entry]:
    matcher = Patterns([pattern])
    return (entry for entry in bundle.entries if matcher.match(entry.path))


def _escape(path: bytes) -> bytes:
    return _SPECIAL.sub(rb"\\\g<0>", path)
