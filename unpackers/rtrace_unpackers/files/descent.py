"""Reach the files of an open tree by their paths, from descriptor to descriptor, without following a symlink.

A tree may be deeper than the number of descriptors a process may have, and paths longer than the kernel takes: so no
more than some dozens of descriptors are open at a time, and names are relative to them.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from types import TracebackType

from rtrace.files.folders import directory_flags

KEPT_FIRST, KEPT_EVERY = 16, 64
"""Which directories on the way down are kept open, by their depth."""


@dataclass(frozen=True, slots=True)
class HeldFolder:
    """A directory that is kept open: its path with a slash at the end, its depth, and its descriptor."""

    path: bytes
    depth: int
    descriptor: int


class Descent:
    """Opens directories of a tree by their paths, one at a time. Sorted paths are fast: they share the way down.

    Those on the way are kept open, the first ones all and then every 64th, so that in the deepest tree a directory
    costs some dozens of calls at most, and never more than about 50 descriptors.
    """

    def __init__(self, root: int) -> None:
        self.path = b"/"
        self.current = os.dup(root)
        self.kept = [HeldFolder(b"/", 0, os.dup(root))]

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
                below = os.open(name, directory_flags(), dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
                depth += 1
                begun += name + b"/"
                if depth <= KEPT_FIRST or not depth % KEPT_EVERY:
                    self.kept.append(HeldFolder(begun, depth, os.dup(descriptor)))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self.current)
        self.path, self.current = path, descriptor
        return descriptor


def exists_in(root: int, path: bytes) -> bool:
    """Whether there is a directory at a path of an open tree, reached through no symlink."""
    with Descent(root) as descent:
        try:
            descent.enter(path)
        except OSError:  # ENOENT, ELOOP, ENOTDIR
            return False
    return True


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
