"""Reach what is at a path of a tree that a replay may have left in any state, and leave it as it was.

No symlink is followed on the way. A folder or file that its owner may not enter or read is opened up for the moment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence

from rtrace.files.symlinks import follow_symlinks
from rtrace_unpackers.files.layout import name_of, parent_of
from rtrace_unpackers.files.walking import open_accessible

Maker = Callable[[bytes, int], None]
"""Makes a folder of a name in an open one."""


def split_names(path: bytes) -> tuple[bytes, ...]:
    """Return the names on the way of an absolute path. Raises OSError for one that climbs."""
    names = tuple(name for name in path.split(b"/") if name)
    if b".." in names or b"." in names:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    return names


@contextlib.contextmanager
def reached(start: int, names: Sequence[bytes], make: Maker | None = None) -> Iterator[int]:
    """Yield a descriptor of the folder to which names lead, one below the other, from an open folder.

    A folder that is not there is made if there is a ``make``. Raises OSError, also at a symlink.
    """
    with contextlib.ExitStack() as stack:
        here = os.dup(start)
        try:
            for name in names:
                below, mode = enter(name, here, make)
                os.close(here)
                here = below
                if mode is not None:
                    stack.callback(restore_and_close, os.dup(below), mode)
            yield here
        finally:
            os.close(here)


def enter(name: bytes, folder: int, make: Maker | None) -> tuple[int, int | None]:
    """Open a folder in an open one, as `open_accessible` does, after making it where that is wanted."""
    try:
        return open_accessible(name, folder)
    except FileNotFoundError:
        if make is None:
            raise
        make(name, folder)
        return open_accessible(name, folder)


def restore_and_close(descriptor: int, mode: int) -> None:
    """Give an open folder its mode back."""
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def open_readable(name: bytes, directory: int) -> int:
    """Open a file of an open folder for reading; one that its owner may not read is made readable for the moment.

    No symlink is followed, and nobody is waited for at a FIFO. Raises OSError.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=directory)
    except PermissionError:
        mode = stat.S_IMODE(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
        os.chmod(name, mode | stat.S_IRUSR, dir_fd=directory)
        try:
            return os.open(name, flags, dir_fd=directory)
        finally:
            os.chmod(name, mode, dir_fd=directory)


def resolve_in(start: int, above: Sequence[bytes], path: bytes) -> bytes:
    """Return the path without symlinks to which a path of a tree leads, as a process in the tree would follow it.

    The tree is at the names ``above`` from an open folder. Raises OSError for more symlinks than the kernel follows.
    """

    def read_link(place: bytes) -> bytes | None:
        try:
            with reached(start, (*above, *split_names(parent_of(place)))) as folder:
                return os.readlink(name_of(place), dir_fd=folder)
        except OSError:  # EINVAL: no symlink; ENOENT, ENOTDIR: nothing, which whoever opens it tells
            return None

    here = b""
    for step in follow_symlinks(path, read_link):
        here = step.onward
    return here or b"/"
