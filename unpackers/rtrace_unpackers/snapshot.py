"""Tell what a tree holds after a replay, in the terms of a bundle."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.unpacker import Snapshot
from rtrace_unpackers import directories
from rtrace_unpackers.directories import Member, Visit
from rtrace_unpackers.layout import PROVIDED, parent_of

KINDS = {
    stat.S_IFREG: FileType.REGULAR,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFIFO: FileType.FIFO,
}
PART = 1 << 20


def take_snapshot(root: int, paths: Iterable[bytes], packed: Iterable[Entry]) -> Snapshot:
    """Look at every file below an open directory, and into those at ``paths``.

    Nothing is followed: a path that leads through a symlink is not there. Sockets and devices, for which a bundle
    has no word, are not there either.
    """
    wanted = frozenset(paths)
    known = list_known(wanted, packed)
    found = {path: Result("", path, None) for path in wanted}
    extra: list[bytes] = []

    def look(visit: Visit) -> None:
        for member in visit.members:
            path = visit.path + b"/" + member.name
            if path in wanted:
                found[path] = describe(member, path, visit.descriptor)
            elif path not in known and stat.S_IFMT(member.status.st_mode) in KINDS:
                extra.append(path)

    if b"/" in wanted:
        found[b"/"] = Result("", b"/", FileType.DIRECTORY, stat.S_IMODE(os.fstat(root).st_mode))
    directories.walk(root, look, skipped=frozenset(PROVIDED))
    return Snapshot(found, tuple(sorted(extra)))


def list_known(wanted: Iterable[bytes], packed: Iterable[Entry]) -> frozenset[bytes]:
    """Return the paths that are no surprise: those asked for, those packed, and the directories they are in."""
    known = {b"/"}
    for path in (*wanted, *(entry.path for entry in packed)):
        at = path
        while at not in known:
            known.add(at)
            at = parent_of(at)
    return frozenset(known)


def describe(member: Member, path: bytes, directory: int) -> Result:
    """Return a member of a directory as a result."""
    status = member.status
    kind = KINDS.get(stat.S_IFMT(status.st_mode))
    mode = stat.S_IMODE(status.st_mode)
    match kind:
        case FileType.REGULAR:
            return Result("", path, kind, mode, status.st_size, hash_file(member, directory))
        case FileType.SYMLINK:
            return Result("", path, kind, mode, target=os.readlink(member.name, dir_fd=directory))
        case _:
            return Result("", path, kind, mode)


def hash_file(member: Member, directory: int) -> str:
    """Return the SHA-256 of a regular file; one that its owner may not read is made readable for the moment."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(member.name, flags, dir_fd=directory)
    except PermissionError:
        mode = stat.S_IMODE(member.status.st_mode)
        os.chmod(member.name, mode | stat.S_IRUSR, dir_fd=directory)
        try:
            descriptor = os.open(member.name, flags, dir_fd=directory)
        finally:
            os.chmod(member.name, mode, dir_fd=directory)
    digest = hashlib.sha256()
    with open(descriptor, "rb", buffering=0) as file:
        while part := file.read(PART):
            digest.update(part)
    return digest.hexdigest()
