"""Directories by file descriptor: to go down without following a symlink, and to come up again.

A tree may be deeper than the number of descriptors a process may have, and paths longer than the kernel takes: so no
more than some dozens of descriptors are open at a time, and names are relative to them.
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

from rtrace.bundle.reading.validation import PATH_LIMIT
from rtrace.errors import TargetError
from rtrace.printable import printable

KEPT_FIRST, KEPT_EVERY = 16, 64
"""Which directories on the way down are kept open, by their depth."""


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


def exists_in(root: int, path: bytes) -> bool:
    """Tell whether there is a directory at a path in a tree that is open, reached through no symlink."""
    with Descent(root) as descent:
        try:
            descent.enter(path)
        except OSError:  # ENOENT, ELOOP, ENOTDIR
            return False
    return True


@dataclass(frozen=True, slots=True)
class Kept:
    """A directory that is kept open: its path with a slash at the end, its depth, and its descriptor."""

    path: bytes
    depth: int
    descriptor: int


class Descent:
    """Opens the directories of a tree by their paths, one at a time; files that are handled in order share them.

    Those on the way are kept open, the first ones all and then every 64th, so that in the deepest tree a directory
    costs some dozens of calls at most, and never more than about 50 descriptors.
    """

    def __init__(self, root: int) -> None:
        self.path = b"/"
        self.current = os.dup(root)
        self.kept = [Kept(b"/", 0, os.dup(root))]

    def __enter__(self) -> Descent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.current)
        while self.kept:
            os.close(self.kept.pop().descriptor)

    def enter(self, path: bytes) -> int:
        """Return a descriptor of a directory; it is good until the next call. Raises OSError at a symlink."""
        if path == self.path:
            return self.current
        whole = path if path.endswith(b"/") else path + b"/"
        while not whole.startswith(self.kept[-1].path):
            os.close(self.kept.pop().descriptor)
        depth, begun, start = self.kept[-1].depth, self.kept[-1].path, self.kept[-1].descriptor
        above = self.path if self.path.endswith(b"/") else self.path + b"/"
        if whole.startswith(above) and len(above) > len(begun):
            depth, begun, start = above.count(b"/") - 1, above, self.current
        descriptor = os.dup(start)
        try:
            for name in whole[len(begun) : -1].split(b"/") if whole != begun else ():
                if name in {b"", b".", b".."}:
                    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
                below = os.open(name, flags(), dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
                depth += 1
                begun += name + b"/"
                if depth <= KEPT_FIRST or not depth % KEPT_EVERY:
                    self.kept.append(Kept(begun, depth, os.dup(descriptor)))
        except BaseException:
            os.close(descriptor)
            raise
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
    """A directory of a tree, while a walk is in it: its path below the tree, a descriptor, and what is in it.

    The members come one by one, in no order, and once.
    """

    path: bytes
    descriptor: int
    members: Iterator[Member]


@dataclass(slots=True)
class Frame:
    """A directory that the walk is in or below: its path, what it is, and the names of those below it still to come."""

    path: bytes
    status: os.stat_result
    pending: list[bytes]
    restored_mode: int | None


def open_regular(root: int, path: bytes) -> int:
    """Open a regular file of a tree for reading, by a path without symlinks. Raises OSError."""
    folder, _, name = path.rpartition(b"/")
    with Descent(root) as descent:
        directory = descent.enter(folder or b"/")
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return file


def walk(root: int, visit: Callable[[Visit], None], *, skipped: frozenset[bytes] = frozenset()) -> None:
    """Visit every directory of a tree before those below it, but for those whose paths no call can take.

    A directory that its owner may not read or enter is made accessible for as long as the walk is in it. Raises
    TargetError where another file system is mounted, and when somebody moves directories meanwhile.
    """
    descriptor = os.dup(root)
    try:
        frames = [open_frame(b"", descriptor, visit, skipped)]
        device = frames[0].status.st_dev
        while True:
            frame = frames[-1]
            if frame.pending:
                name = frame.pending.pop()
                path = frame.path + b"/" + name
                if os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_dev != device:
                    raise TargetError(
                        f"another file system is mounted at {printable(path)} in the target: unmount it first"
                    )
                below, mode = open_accessible(name, descriptor)
                os.close(descriptor)
                descriptor = below
                frames.append(open_frame(path, descriptor, visit, skipped, mode))
                continue
            frames.pop()
            if not frames:
                restore(descriptor, frame)
                return
            above = os.open(b"..", flags(), dir_fd=descriptor)
            restore(descriptor, frame)
            os.close(descriptor)
            descriptor = above
            if not os.path.samestat(os.fstat(above), frames[-1].status):
                raise TargetError(f"{printable(frame.path)} in the target was moved meanwhile: try again")
    finally:
        os.close(descriptor)


def open_frame(
    path: bytes,
    descriptor: int,
    visit: Callable[[Visit], None],
    skipped: frozenset[bytes],
    mode: int | None = None,
) -> Frame:
    """List a directory, have it visited, and note which directories are to be visited below it.

    A program that makes folders in folders for ever does not get paths of megabytes made of their names: below one
    whose path is as long as any can be, nothing is looked for.
    """
    pending: list[bytes] = []

    def list_rest() -> Iterator[Member]:
        for member in list_members(descriptor):
            if skipped and path.count(b"/") <= 1 and path + b"/" + member.name in skipped:
                continue
            if member.is_directory and len(path) + 1 + len(member.name) <= PATH_LIMIT:
                pending.append(member.name)
            yield member

    members = list_rest()
    visit(Visit(path, descriptor, members))
    for _ in members:
        pass
    return Frame(path, os.fstat(descriptor), sorted(pending, reverse=True), mode)


def list_members(descriptor: int) -> Iterator[Member]:
    """Yield what is in a directory, of which there may be millions."""
    with os.scandir(descriptor) as entries:
        for entry in entries:
            yield Member(os.fsencode(entry.name), entry.stat(follow_symlinks=False))


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
