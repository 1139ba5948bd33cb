"""How much of a disk a replay takes, measured now and then by a thread."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rtrace_unpackers.limits.usage import list_descendants

BLOCK = 512
"""What ``st_blocks`` counts, whatever the file system's blocks are; see stat(2)."""
DEEPEST = 64
"""How many folders are open at a time at most. What lies deeper is not measured by its files."""
FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
FIRST_LOOK, SHARE = 0.1, 10
"""Seconds until the first look; looking takes at most a tenth of the time."""


@dataclass(slots=True)
class Measure:
    """What was found: bytes, and whether that was all. A file with several names counts once."""

    size: int = 0
    is_whole: bool = True
    seen: set[int] = field(default_factory=set)

    def add(self, status: os.stat_result) -> None:
        """Count a file."""
        if status.st_nlink != 1 and not stat.S_ISDIR(status.st_mode):
            if status.st_ino in self.seen:
                return
            self.seen.add(status.st_ino)
        self.size += status.st_blocks * BLOCK


def measure_tree(tree: int, measure: Measure | None = None) -> Measure:
    """Measure an open folder. Nothing is followed or waited for, whatever is put in a folder's place meanwhile."""
    measure = Measure() if measure is None else measure
    device = os.fstat(tree).st_dev

    def look(folder: int, depth: int) -> None:
        names = []
        try:
            for entry in os.scandir(folder):
                status = entry.stat(follow_symlinks=False)
                measure.add(status)
                if stat.S_ISDIR(status.st_mode) and status.st_dev == device:
                    names.append(entry.name)
        except FileNotFoundError:  # removed meanwhile
            pass
        if depth == DEEPEST and names:
            measure.is_whole = False
            return
        for name in names:
            try:
                below = os.open(name, FLAGS | os.O_CLOEXEC, dir_fd=folder)
            except PermissionError:
                measure.is_whole = False
                continue
            except OSError:  # ENOENT, ENOTDIR, ELOOP: something else is there meanwhile
                continue
            try:
                look(below, depth + 1)
            finally:
                os.close(below)

    top = os.open(".", FLAGS | os.O_CLOEXEC, dir_fd=tree)
    try:
        look(top, 1)
    finally:
        os.close(top)
    return measure


def add_nameless(process: int, device: int, measure: Measure) -> None:
    """Count the files that a process and its descendants hold open and that have no name any more."""
    for at in list_descendants(process):
        try:
            names = os.listdir(f"/proc/{at}/fd")
        except PermissionError:
            measure.is_whole = False
            continue
        except OSError:  # ENOENT, ESRCH: it has ended meanwhile
            continue
        for name in names:
            try:
                status = os.stat(f"/proc/{at}/fd/{name}")
            except OSError:  # ENOENT: closed meanwhile
                continue
            if status.st_nlink == 0 and status.st_dev == device and stat.S_ISREG(status.st_mode):
                measure.add(status)


class DiskWatch(threading.Thread):
    """Calls ``reached`` when a replay has written more than a limit.

    Where not all can be measured by its files (folders closed to us, or too deep), what the file system has less of
    decides, whoever wrote it.
    """

    def __init__(self, tree: int, limit: int, reached: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.tree = tree
        self.limit = limit
        self.reached = reached
        self.process: int | None = None
        self.over = threading.Event()
        self.before = measure_tree(tree).size
        self.free_before = self.count_free()

    def count_free(self) -> int:
        """Return the bytes that are free on the file system."""
        status = os.fstatvfs(self.tree)
        return status.f_bfree * status.f_frsize

    def is_reached(self) -> bool:
        """Whether more has been written than may be."""
        measure = measure_tree(self.tree)
        if self.process is not None:
            add_nameless(self.process, os.fstat(self.tree).st_dev, measure)
        if measure.size - self.before > self.limit:
            return True
        return not measure.is_whole and self.free_before - self.count_free() > self.limit

    def run(self) -> None:
        """Look now and then while the replay lasts."""
        pause = FIRST_LOOK
        while not self.over.wait(pause):
            began = time.monotonic()
            if self.is_reached():
                self.reached()
                return
            pause = max(FIRST_LOOK, SHARE * (time.monotonic() - began))

    def finish(self) -> bool:
        """Look a last time; return whether more was written than the limit."""
        self.over.set()
        if self.ident is not None:
            self.join()
        self.process = None
        return self.is_reached()
