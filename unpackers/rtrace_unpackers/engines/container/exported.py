"""What a container holds, read from the tar that the engine makes of its files; nothing is written to the disk."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from subprocess import CompletedProcess
from typing import IO

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.errors import TargetError
from rtrace.files.hierarchy import SHARED_MEMORY, is_in_memory, is_provided
from rtrace.printable import format_size, printable
from rtrace.replay.protocol import Expected, Snapshot, Stamp
from rtrace_unpackers.target.snapshot import Surprises, list_known

PART = 1 << 20
REPLACED = (b"/etc/hostname", b"/etc/hosts", b"/etc/mtab", b"/etc/resolv.conf")
"""Files that an engine replaces by its own in every container, whatever the image holds there."""
ENGINES_OWN = frozenset({*REPLACED, b"/.dockerenv", b"/etc", b"/run", b"/run/.containerenv"})
"""What engines put into every container, whatever its image holds there."""
PODMANS_OWN = ENGINES_OWN | {b"/etc/group", b"/etc/passwd"}
"""The same of Podman, which makes these where the image has none."""

EXPORT_LIMIT = 256 << 30
"""Bytes of a file: an engine writes the zeros of its holes into a pipe."""
KINDS = {
    tarfile.REGTYPE: FileType.REGULAR,
    tarfile.AREGTYPE: FileType.REGULAR,
    tarfile.LNKTYPE: FileType.REGULAR,
    tarfile.DIRTYPE: FileType.DIRECTORY,
    tarfile.SYMTYPE: FileType.SYMLINK,
    tarfile.FIFOTYPE: FileType.FIFO,
}


def read_export(
    export: Callable[[], AbstractContextManager[IO[bytes]]],
    paths: Expected,
    packed: Iterable[Entry],
    own_folder: bytes,
    provided: frozenset[bytes] = ENGINES_OWN,
) -> Snapshot:
    """Return what is in an export, and what is in the files at ``paths``; ``provided`` is no surprise.

    A wanted path may be a hard link to a member that nobody asked for and that went by already: then the export is
    read once more.
    """
    wanted = frozenset(paths)
    known = list_known(wanted, packed) | provided
    sizes = frozenset(paths.values()) if isinstance(paths, Mapping) else None
    surprises = Surprises()

    def see(path: bytes) -> None:
        if path not in known and not is_provided(path) and not is_below(path, own_folder):
            surprises.add(path)

    reader = ExportReader(wanted, sizes, see)
    with export() as stream:
        reader.read(stream)
    behind = frozenset(target for target in reader.links.values() if target not in reader.found)
    if behind:
        again = ExportReader(behind, sizes, lambda _: None)
        with export() as stream:
            again.read(stream)
        reader.found.update(again.found)
    found = {path: reader.found.get(path, Result("", path, None)) for path in wanted}
    for path, target in reader.links.items():
        found[path] = replace(reader.found.get(target, Result("", target, None)), path=path)
    return Snapshot(found, tuple(sorted(surprises.paths)), surprises.more)


def add_volume(
    snapshot: Snapshot,
    copy: Callable[[], AbstractContextManager[IO[bytes]]],
    paths: Expected,
    packed: Iterable[Entry],
    own_folder: bytes,
) -> Snapshot:
    """Return a snapshot with the files in /dev/shm added: an engine does not export a volume."""
    above = SHARED_MEMORY.rpartition(b"/")[0]

    def within(path: bytes) -> bytes:
        return path.removeprefix(above)

    wanted = {path: size for path, size in as_sizes(paths).items() if is_in_memory(path)}
    inner = {within(path): size for path, size in wanted.items()}
    entries = [entry._replace(path=within(entry.path)) for entry in packed if is_in_memory(entry.path)]
    expected: Expected = inner if isinstance(paths, Mapping) else frozenset(inner)
    found = read_export(copy, expected, entries, own_folder)
    moved = {above + path: replace(one, path=above + path) for path, one in found.found.items()}
    return replace(
        snapshot,
        found={**snapshot.found, **moved},
        extra=tuple(sorted((*snapshot.extra, *(above + path for path in found.extra)))),
        more=snapshot.more + found.more,
    )


def as_sizes(paths: Expected) -> Mapping[bytes, int | None]:
    """Return the wanted paths, each with the size that was told."""
    return paths if isinstance(paths, Mapping) else dict.fromkeys(paths)


def read_changes(told: CompletedProcess[str], paths: Collection[bytes]) -> Mapping[bytes, Stamp]:
    """Read what `container diff` says of some paths: ``A``, ``C`` or ``D``, a space and a path in each line.

    Nothing is told of a path that cannot stand in such a line, nor of any when the command failed.
    """
    if told.returncode != 0:
        return {}
    changed = {line[2:] for line in told.stdout.split("\n")}
    names = {path: path.decode("utf-8", "replace") for path in paths}
    return {
        path: (int(name in changed),) for path, name in names.items() if name.isprintable() and "\ufffd" not in name
    }


def is_below(path: bytes, folder: bytes) -> bool:
    """Whether a path is a folder or in it."""
    return path == folder or path.startswith(folder + b"/")


class ExportReader:
    """Reads an export: finds what is at the wanted paths, and which are hard links; calls ``see`` with all others.

    It hashes the files of one of the ``sizes``, which are those of the outputs; without sizes, all files.
    """

    def __init__(
        self, wanted: frozenset[bytes], sizes: frozenset[int | None] | None, see: Callable[[bytes], None]
    ) -> None:
        self.wanted = wanted
        self.sizes = sizes
        self.see = see
        self.found: dict[bytes, Result] = {}
        self.links: dict[bytes, bytes] = {}

    def read(self, stream: IO[bytes]) -> None:
        """Read all members. Raises TargetError when it is no tar, and at a file that would take hours to go by."""
        try:
            with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
                while (member := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined]  # or the whole list stays in memory
                    if member.size > EXPORT_LIMIT:
                        path = printable(normalize(member.name))
                        raise TargetError(
                            f"{path} in the container has {format_size(member.size)}, more than an engine can export; "
                            "the chroot unpacker can compare what such a replay leaves"
                        )
                    self.note(tar, member)
        except tarfile.TarError as error:
            raise TargetError(f"the engine's export of the container cannot be read: {error}") from None

    def note(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Note one member."""
        kind = KINDS.get(member.type, FileType.REGULAR if member.isreg() else None)
        if kind is None:
            return
        path = normalize(member.name)
        if path not in self.wanted:
            self.see(path)
            return
        if member.islnk():
            self.links[path] = normalize(member.linkname)
            return
        is_hashed = kind is FileType.REGULAR and (self.sizes is None or member.size in self.sizes)
        sha256 = hash_member(tar, member) if is_hashed else None
        target = member.linkname.encode("utf-8", "surrogateescape") if kind is FileType.SYMLINK else None
        size = member.size if kind is FileType.REGULAR else 0
        self.found[path] = Result("", path, kind, member.mode & 0o7777, size, sha256, target)


def normalize(name: str) -> bytes:
    """Return the absolute path of a member's name."""
    encoded = name.encode("utf-8", "surrogateescape")
    return b"/" + b"/".join(part for part in encoded.split(b"/") if part not in {b"", b"."})


def hash_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """Return the SHA-256 of a member's content."""
    digest = hashlib.sha256()
    content = tar.extractfile(member)
    if content is not None:
        with content:
            while part := content.read(PART):
                digest.update(part)
    return digest.hexdigest()
