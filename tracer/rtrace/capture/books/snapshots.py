"""Snapshots of files before the run changes them: a reflink where the filesystem has them, a copy elsewhere.

A reflink takes no room. Copies do, and the program waits for them: together they stay below a limit.
"""

from __future__ import annotations

import fcntl
import math
import os
from collections.abc import Callable
from pathlib import Path

from rtrace.debugging import debug
from rtrace.files.holes import find_segments
from rtrace.linux.descriptors import FICLONE
from rtrace.printable import format_size, printable

CHUNK = 1 << 26  # bytes for each copy_file_range(2)
SNAPSHOT_LIMIT = 1 << 30
"""Bytes that all copies of a run may take together unless another limit is asked for."""
TOLD_SINGLY = 20
"""Files beyond the limit that are told of one by one; further ones are added up in one sentence."""
UNITS = {"G": 1 << 30, "M": 1 << 20, "K": 1 << 10}


class SnapshotLimitError(Exception):
    """A file was not copied because the copies would take more room than they may; the text says so."""


class SnapshotTaker:
    """Takes the copies of a run. ``tell`` is called with what was not copied, and what to do about it."""

    def __init__(self, folder: Path, limit: int, tell: Callable[[str, str], None]) -> None:
        """Copy into a folder, up to ``limit`` bytes of what cannot be reflinked."""
        self.folder = folder
        self.limit = limit
        self.tell = tell
        self.copied = 0
        self.refused: list[int] = []

    def take(self, source: bytes, name: str) -> None:
        """Copy a file's content to the file ``name`` of the folder.

        Raises SnapshotLimitError and OSError, and leaves nothing there then.
        """
        try:
            size = take_snapshot(source, self.folder / name, self.limit - self.copied)
            self.copied += size
            way = f"copied, {format_size(size)}" if size else "reflink, or empty"
            debug(__name__, "%s: %s", printable(source), way)
        except SnapshotLimitError as error:
            self._refuse(source, int(error.args[0]))

    def _refuse(self, path: bytes, size: int) -> None:
        self.refused.append(size)
        if len(self.refused) <= TOLD_SINGLY:
            what = f"the run changes {printable(path)} ({format_size(size)}), which was not copied before: {self._why}"
            self.tell(what, self._advice)
        raise SnapshotLimitError(f"{format_size(size)} is more than --snapshot-limit left room for")

    def finish(self) -> None:
        """Tell of the files beyond the limit that were too many to be told of one by one."""
        rest = self.refused[TOLD_SINGLY:]
        if rest:
            what = f"the run changed {len(rest)} more files ({format_size(sum(rest))}), which were not copied before"
            self.tell(f"{what}: {self._why}", self._advice)

    @property
    def _why(self) -> str:
        return f"the copies of a run may take {format_size(self.limit)} together"

    @property
    def _advice(self) -> str:
        """Return the advice, with a size that would have been enough until now."""
        needed = self.copied + sum(self.refused)
        letter, unit = next(((key, size) for key, size in UNITS.items() if needed >= size), ("K", UNITS["K"]))
        return f"restore the file, and trace again with --snapshot-limit {-(-needed // unit)}{letter} or more"


def take_snapshot(source: bytes, destination: Path, room: int) -> int:
    """Copy a regular file's content, and return how many bytes of disk that takes: none for a reflink.

    Raises SnapshotLimitError with the file's size when that is more than ``room``, and OSError; leaves nothing at
    ``destination`` then.
    """
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        writing = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            return copy_content(reading, writing, room)
        except (OSError, SnapshotLimitError):
            destination.unlink()
            raise
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def copy_content(reading: int, writing: int, room: float = math.inf) -> int:
    """Copy all bytes of one descriptor to another, in the cheapest way that the two filesystems offer.

    Returns and raises what ``take_snapshot`` does.
    """
    try:
        fcntl.ioctl(writing, FICLONE, reading)
    except OSError:
        pass
    else:
        return 0
    state = os.fstat(reading)
    size = min(state.st_size, state.st_blocks * 512)  # less than its size where it has holes
    if size > room:
        raise SnapshotLimitError(size)
    segments = find_segments(reading, state)
    if segments is not None:
        for start, length in segments:
            _copy_part(reading, writing, start, start + length)
        os.ftruncate(writing, state.st_size)
        return size
    try:
        while os.copy_file_range(reading, writing, CHUNK):
            pass
    except OSError:  # EXDEV before Linux 5.3, EINVAL or EOPNOTSUPP on some filesystems
        offset = os.lseek(writing, 0, os.SEEK_CUR)
        while data := os.pread(reading, 1 << 20, offset):
            offset += os.pwrite(writing, data, offset)
    return size


def _copy_part(reading: int, writing: int, start: int, end: int) -> None:
    """Copy a part of a sparse file to its place."""
    while start < end and (data := os.pread(reading, min(1 << 20, end - start), start)):
        start += os.pwrite(writing, data, start)
