"""Content from one file of a target into another, and whether there is room for it."""

from __future__ import annotations

import os
import sys

from rtrace.errors import TargetError
from rtrace.printable import format_size

FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
CHUNK = 1 << 26
PART = 1 << 20


def copy_content(source: int, destination: int, size: int) -> None:
    """Copy ``size`` bytes between open files: shared where the file system can, else copied by the kernel, else by us.

    Raises OSError when the disk refuses.
    """
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.ioctl(destination, FICLONE, source)
        except OSError:
            pass
        else:
            return
    done = 0
    if sys.platform == "linux":
        try:
            while done < size and (length := os.copy_file_range(source, destination, min(CHUNK, size - done), done)):
                done += length
        except OSError:  # EXDEV, EINVAL, EOPNOTSUPP: the file system cannot
            done = os.lseek(destination, 0, os.SEEK_CUR)
    while done < size and (part := os.pread(source, min(PART, size - done), done)):
        done += os.pwrite(destination, part, done)


def refuse_too_large(size: int, folder: int) -> None:
    """Raise TargetError when the file system of an open file has less room than that: a small bundle can want a lot."""
    state = os.fstatvfs(folder)
    free = state.f_frsize * (state.f_bavail if os.geteuid() else state.f_bfree)
    if size > free:
        raise TargetError(
            f"the files of the bundle take {format_size(size)}, and there is room for {format_size(free)}; "
            "unpack it elsewhere"
        )
