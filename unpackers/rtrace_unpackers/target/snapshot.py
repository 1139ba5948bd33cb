"""What a tree holds after a replay, in the terms of a bundle."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import chain

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.files.hierarchy import is_provided
from rtrace.replay.protocol import Expected, Snapshot, Stamp
from rtrace_unpackers.files.layout import parent_of
from rtrace_unpackers.files.reaching import open_readable
from rtrace_unpackers.files.walking import Child, Visit, walk
from rtrace_unpackers.target.hashing import Hashing

KINDS = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
}
EXTRA_LIMIT = 32 << 20
"""Bytes that the paths may take that nobody asked for: a program can make millions of them."""


class Surprises:
    """The paths that nobody asked for; when there are too many, the rest is counted."""

    def __init__(self) -> None:
        self.paths: list[bytes] = []
        self.more = 0
        self._room = EXTRA_LIMIT

    def add(self, path: bytes) -> None:
        """Note a path."""
        self._room -= len(path) + 64
        if self._room < 0:
            self.more += 1
        else:
            self.paths.append(path)


def take_snapshot(root: int, paths: Expected, packed: Iterable[Entry]) -> Snapshot:
    """Return what is below an open directory, and what is in the files at ``paths``.

    Nothing is followed: a path that leads through a symlink is not there. Sockets and devices, for which a bundle
    has no word, are not there either.
    """
    wanted = frozenset(paths)
    known = list_known(wanted, packed)
    found = {path: Result("", path, None) for path in wanted}
    surprises = Surprises()

    def look(visit: Visit) -> None:
        for member in visit.members:
            path = visit.path + b"/" + member.name
            if path in wanted:
                described = describe_child(member, path, visit.descriptor)
                found[path] = described
                if described.type is FileType.REGULAR and is_hashed(paths, path, member.status):
                    hashing.take(path, open_readable(member.name, visit.descriptor))
            elif path not in known and not is_provided(path) and stat.S_IFMT(member.status.st_mode) in KINDS:
                surprises.add(path)

    if b"/" in wanted:
        found[b"/"] = Result("", b"/", FileType.DIRECTORY, stat.S_IMODE(os.fstat(root).st_mode))
    with Hashing() as hashing:
        walk(root, look, skipped=frozenset({b"/proc", b"/sys"}))
        for path, sha256 in hashing.finish():
            found[path] = replace(found[path], sha256=sha256)
    return Snapshot(found, tuple(sorted(surprises.paths)), surprises.more)


def stamp_files(root: int, paths: Collection[bytes]) -> dict[bytes, Stamp]:
    """Return inode and ctime_ns of files below an open directory, but for what is not there or cannot be reached.

    Nothing is followed: a path that leads through a symlink is not there.
    """
    stamps: dict[bytes, Stamp] = {}
    for path in paths:
        with suppress(OSError):
            status = _look_at(root, path)
            stamps[path] = (status.st_ino, status.st_ctime_ns)
    return stamps


def _look_at(root: int, path: bytes) -> os.stat_result:
    *folders, name = path.strip(b"/").split(b"/")
    with ExitStack() as stack:
        place = root
        for folder in folders:
            place = os.open(folder, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
            stack.callback(os.close, place)
        return os.lstat(name, dir_fd=place)


def is_hashed(paths: Expected, path: bytes, status: os.stat_result) -> bool:
    """Whether the content of a wanted file matters: it has the expected size, if there is one."""
    return not isinstance(paths, Mapping) or paths[path] == status.st_size


def list_known(wanted: Iterable[bytes], packed: Iterable[Entry]) -> set[bytes]:
    """Return the paths that are no surprise: those asked for, those packed, and the directories they are in."""
    known = {b"/"}
    for path in chain(wanted, (entry.path for entry in packed)):
        at = path
        while at not in known:
            known.add(at)
            at = parent_of(at)
    return known


def describe_child(member: Child, path: bytes, directory: int) -> Result:
    """Return a member of a directory as a result, without a digest."""
    status = member.status
    kind = KINDS.get(stat.S_IFMT(status.st_mode))
    mode = stat.S_IMODE(status.st_mode)
    match kind:
        case FileType.REGULAR:
            return Result("", path, kind, mode, status.st_size)
        case FileType.SYMLINK:
            return Result("", path, kind, mode, target=os.readlink(member.name, dir_fd=directory))
        case _:
            return Result("", path, kind, mode)
