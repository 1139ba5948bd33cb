"""Copies of files as they were before the run changed them: a reflink where the filesystem can, else a copy."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from rtrace.capture.kernel import FICLONE

CHUNK = 1 << 26  # bytes for each copy_file_range(2)


def take_snapshot(source: bytes, destination: Path) -> None:
    """Copy a regular file's content. Raises OSError, and leaves nothing at ``destination`` then."""
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        writing = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            copy_content(reading, writing)
        except OSError:
            destination.unlink()
            raise
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def copy_content(reading: int, writing: int) -> None:
    """Copy all bytes of one descriptor to another, in the cheapest way that the two filesystems offer."""
    try:
        fcntl.ioctl(writing, FICLONE, reading)
    except OSError:
        pass
    else:
        return
    try:
        while os.copy_file_range(reading, writing, CHUNK):
            pass
    except OSError:  # EXDEV before Linux 5.3, EINVAL or EOPNOTSUPP on some filesystems
        offset = os.lseek(writing, 0, os.SEEK_CUR)
        while data := os.pread(reading, 1 << 20, offset):
            offset += os.pwrite(writing, data, offset)
