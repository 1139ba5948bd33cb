"""A path in the books of a run: what is remembered of it while the run goes on."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

TYPE_NAMES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
}


def identify(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return what distinguishes a file from any other, and from itself once it was written to."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class PathState:
    """One path in one run. ``settled`` says that its content before the run is safe, whatever is done to it now.

    ``inode`` is that of its file before the run, None while no other name of the file is known. ``needed`` says that
    the run used the content of what was there; ``discarded`` is what is about to be lost unused.
    """

    __slots__ = (
        "attributed",
        "discarded",
        "existed",
        "id",
        "inode",
        "listed",
        "mutated",
        "needed",
        "path",
        "settled",
    )

    def __init__(self, identity: int, path: bytes, *, existed: bool) -> None:
        """Begin untouched; where nothing was before the run, there is nothing to keep."""
        self.id = identity
        self.path = path
        self.existed = existed
        self.settled = not existed
        self.attributed = not existed
        self.listed = False
        self.mutated = False
        self.needed = False
        self.discarded: Discarded | None = None
        self.inode: tuple[int, int] | None = None


class Discarded(NamedTuple):
    """A file that a call is about to remove or replace unread: what it is, and whose content it was before the run."""

    identity: tuple[int, int, int, int]
    owners: list[PathState]


Uses = list[tuple[PathState, int]]
"""Paths, and how they are used."""
