"""Walk through an open tree of any depth, directory by directory, while others may change it.

One descriptor is open at a time: the way up is ``..``, and proven to lead to where the walk came from.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rtrace.bundle.reading.validation import PATH_LIMIT
from rtrace.errors import TargetError
from rtrace.files.folders import directory_flags
from rtrace.printable import printable


@dataclass(frozen=True, slots=True)
class Child:
    """Something in a directory: its name, and what lstat(2) says of it."""

    name: bytes
    status: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, and not a symlink to one."""
        return stat.S_ISDIR(self.status.st_mode)


@dataclass(frozen=True, slots=True)
class Visit:
    """A directory of a tree, while a walk is in it: its path below the tree, a descriptor, and what is in it.

    The members come one by one, in no order, and once.
    """

    path: bytes
    descriptor: int
    members: Iterator[Child]


@dataclass(slots=True)
class Frame:
    """A directory that the walk is in or below: its path, what it is, and the names of those below it still to come."""

    path: bytes
    status: os.stat_result
    pending: list[bytes]
    restored_mode: int | None


def walk(root: int, visit: Callable[[Visit], None], *, skipped: frozenset[bytes] = frozenset()) -> None:
    """Visit every directory of a tree before those below it, except where a path is too long for any call.

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
                restore_mode(descriptor, frame)
                return
            above = os.open(b"..", directory_flags(), dir_fd=descriptor)
            restore_mode(descriptor, frame)
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
    """Visit a directory, and note which directories to visit below it.

    A program that makes folders in folders for ever does not get paths of megabytes made of their names: below one
    whose path is as long as any can be, nothing is looked for.
    """
    pending: list[bytes] = []

    def list_rest() -> Iterator[Child]:
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


def list_members(descriptor: int) -> Iterator[Child]:
    """Yield what is in a directory; there may be millions of files."""
    with os.scandir(descriptor) as entries:
        for entry in entries:
            yield Child(os.fsencode(entry.name), entry.stat(follow_symlinks=False))


def open_accessible(name: bytes, parent: int) -> tuple[int, int | None]:
    """Open a directory for reading and entering; return the mode to restore when it had to be changed."""
    mode = None
    try:
        descriptor = os.open(name, directory_flags(), dir_fd=parent)
    except PermissionError:
        mode = stat.S_IMODE(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        os.chmod(name, mode | stat.S_IRWXU, dir_fd=parent)
        return os.open(name, directory_flags(), dir_fd=parent), mode
    status = os.fstat(descriptor)
    if status.st_uid == os.geteuid() != 0 and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        mode = stat.S_IMODE(status.st_mode)
        os.fchmod(descriptor, mode | stat.S_IRWXU)
    return descriptor, mode


def restore_mode(descriptor: int, frame: Frame) -> None:
    """Give a directory back the mode that it had before the walk."""
    if frame.restored_mode is not None:
        os.fchmod(descriptor, frame.restored_mode)
