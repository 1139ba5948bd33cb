"""The seal of a tree: what changes when anything in it is changed, whoever does so.

No program can set the time of the last change of a file (ctime), so one number for all files together tells enough.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from rtrace.files.folders import directory_flags

MASK = (1 << 64) - 1
BLOCK = 512
FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
"""Odd numbers whose bits are as those of random ones, as hash functions have them."""


@dataclass(slots=True)
class Seal:
    """How many files there are, what room they take on the disk in bytes, and the sum of what each is."""

    files: int = 0
    room: int = 0
    sum: int = 0

    def add(self, status: os.stat_result) -> None:
        """Add a file; the order does not matter."""
        inode, changed, size = FACTORS
        self.files += 1
        self.room += status.st_blocks * BLOCK
        mixed = status.st_ino * inode ^ status.st_ctime_ns * changed ^ status.st_size * size ^ status.st_mode
        mixed &= MASK
        self.sum = (self.sum + (mixed ^ mixed >> 29) * inode) & MASK


def seal_tree(root: int) -> Seal:
    """Look at all files below an open folder, without opening any that is no folder. Raises OSError.

    What its owner may not look into is left out: to change it, one would have to change the permissions first. Nobody
    else is at the tree, so folders are opened by their paths.
    """
    seal = Seal()
    seal.add(os.fstat(root))
    pending = ["."]
    while pending:
        path = pending.pop()
        try:
            folder = os.open(path, directory_flags(), dir_fd=root)
        except PermissionError:
            continue
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    seal.add(status)
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(f"{path}/{entry.name}")
        finally:
            os.close(folder)
    return seal
