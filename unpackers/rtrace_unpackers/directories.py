"""Directories by file descriptor: to go down without following a symlink, and to come up again.

A tree may be deeper than the number of descriptors a process may have, and paths longer than the kernel takes: so no
more than two descriptors are open at a time, and names are relative to them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rtrace.errors import TargetError
from rtrace.printable import printable


def flags() -> int:
    """Return the flags for opening a directory; a function, since not every system has them."""
    return os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def opened(path: bytes | Path) -> Iterator[int]:
    """Yield a descriptor of a directory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Descent:
    """Opens the directories of a tree by their paths, one at a time; files that are handled in order share them."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.path = b"/"
        self.current = os.dup(root)

    def __enter__(self) -> Descent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.current)

    def enter(self, path: bytes) -> int:
        """Return a descriptor of a directory; it is good until the next call. Raises OSError at a symlink."""
        if path == self.path:
            return self.current
        descriptor = os.dup(self.root)
        for name in path.split(b"/"):
            if not name:
                continue
            try:
                if name in {b".", b".."}:
                    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
                below = os.open(name, flags(), dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = below
        os.close(self.current)
        self.path, self.current = path, descriptor
        return descriptor


@dataclass(frozen=True, slots=True)
class Member:
    """Something in a directory: its name, and what lstat(2) says of it."""

    name: bytes
    status: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Tell whether it is a directory, and not a symlink to one."""
        return stat.S_ISDIR(self.status.st_mode)


@dataclass(frozen=True, slots=True)
class Visit:
    """A directory of a tree, while a walk is in it: its path below the tree, a descriptor, and what is in it."""

    path: bytes
    descriptor: int
    members: tuple[Member, ...]


@dataclass(slots=True)
class Frame:
    """A directory that the walk is in or below."""

    path: bytes
    member: Member
    pending: list[Member]
    restored_mode: int | None


def walk(
    root: int,
    visit: Callable[[Visit], None],
    leave: Callable[[int, bytes], None] | None = None,
    *,
    skipped: frozenset[bytes] = frozenset(),
) -> None:
    """Visit every directory of a tree before those below it; call ``leave`` for each name afterwards, from above it.

    A directory that its owner may not read or enter is made accessible for as long as the walk is in it. Raises
    TargetError where another file system is mounted, and when somebody moves directories meanwhile.
    """
    top = os.fstat(root)
    descriptor = os.dup(root)
    try:
        frames = [open_frame(b"", Member(b".", top), descriptor, visit, skipped)]
        while True:
            frame = frames[-1]
            if frame.pending:
                member = frame.pending.pop()
                path = frame.path + b"/" + member.name
                if member.status.st_dev != top.st_dev:
                    raise TargetError(
                        f"another file system is mounted at {printable(path)} in the target: unmount it first"
                    )
                below, mode = open_accessible(member.name, descriptor)
                os.close(descriptor)
                descriptor = below
                frames.append(open_frame(path, member, descriptor, visit, skipped, mode))
                continue
            frames.pop()
            if not frames:
                restore(descriptor, frame)
                return
            above = os.open(b"..", flags(), dir_fd=descriptor)
            restore(descriptor, frame)
            os.close(descriptor)
            descriptor = above
            if not os.path.samestat(os.fstat(above), frames[-1].member.status):
                raise TargetError(f"{printable(frame.path)} in the target was moved meanwhile: try again")
            if leave is not None:
                leave(descriptor, frame.member.name)
    finally:
        os.close(descriptor)


def open_frame(
    path: bytes,
    member: Member,
    descriptor: int,
    visit: Callable[[Visit], None],
    skipped: frozenset[bytes],
    mode: int | None = None,
) -> Frame:
    """List a directory, have it visited, and note which directories are to be visited below it."""
    members = tuple(sorted(list_members(descriptor), key=lambda member: member.name, reverse=True))
    members = tuple(member for member in members if path + b"/" + member.name not in skipped)
    visit(Visit(path, descriptor, members[::-1]))
    return Frame(path, member, [member for member in members if member.is_directory], mode)


def list_members(descriptor: int) -> Iterator[Member]:
    """Yield what is in a directory."""
    for name in os.listdir(descriptor):
        encoded = os.fsencode(name)
        yield Member(encoded, os.stat(encoded, dir_fd=descriptor, follow_symlinks=False))


def open_accessible(name: bytes, parent: int) -> tuple[int, int | None]:
    """Open a directory for reading and entering; return the mode to restore when it had to be changed."""
    mode = None
    try:
        descriptor = os.open(name, flags(), dir_fd=parent)
    except PermissionError:
        mode = stat.S_IMODE(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        os.chmod(name, mode | stat.S_IRWXU, dir_fd=parent)
        return os.open(name, flags(), dir_fd=parent), mode
    status = os.fstat(descriptor)
    if status.st_uid == os.geteuid() != 0 and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        mode = stat.S_IMODE(status.st_mode)
        os.fchmod(descriptor, mode | stat.S_IRWXU)
    return descriptor, mode


def restore(descriptor: int, frame: Frame) -> None:
    """Give a directory back the mode that it had before the walk."""
    if frame.restored_mode is not None:
        os.fchmod(descriptor, frame.restored_mode)
