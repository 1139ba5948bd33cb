"""Copy content from one file of a target to another, and check that there is room for it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rtrace.errors import TargetError
from rtrace.printable import format_size

if TYPE_CHECKING:
    from rtrace.files.holes import Segments

FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
CHUNK = 1 << 26
PART = 1 << 20


def copy_content(source: int, destination: int, size: int, segments: Segments | None = None) -> None:
    """Copy ``size`` bytes between open files: shared where the file system can, else copied by the kernel, else by us.

    Of a sparse file only ``segments`` are copied. Raises OSError when the disk refuses.
    """
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.ioctl(destination, FICLONE, source)
        except OSError:
            pass
        else:
            return
    for start, length in ((0, size),) if segments is None else segments:
        copy_part(source, destination, start, start + length)
    if segments is not None:
        os.ftruncate(destination, size)


def copy_part(source: int, destination: int, start: int, end: int) -> None:
    """Copy a part of a file to the same place in another."""
    if sys.platform == "linux":
        try:
            while start < end:
                length = os.copy_file_range(source, destination, min(CHUNK, end - start), start, start)
                if not length:
                    return
                start += length
        except OSError:  # EXDEV, EINVAL, EOPNOTSUPP: the file system cannot
            pass
    os.lseek(source, start, os.SEEK_SET)
    os.lseek(destination, start, os.SEEK_SET)
    while start < end and (part := os.read(source, min(PART, end - start))):
        start += os.write(destination, part)
        os.lseek(source, start, os.SEEK_SET)


def find_room(folder: int) -> int:
    """Return the bytes that the file system of an open file has left for this user, as far as the system tells."""
    if not hasattr(os, "fstatvfs"):  # Windows
        return sys.maxsize
    state = os.fstatvfs(folder)
    return state.f_frsize * (state.f_bavail if os.geteuid() else state.f_bfree)


def refuse_too_large(size: int, folder: int) -> None:
    """Raise TargetError when the file system of an open file has less room than that: a small bundle can want a lot."""
    free = find_room(folder)
    if size > free:
        raise TargetError(
            f"the files of the bundle need {format_size(size)}, and {format_size(free)} are free; unpack it elsewhere"
        )
