"""How much memory a process and its descendants use, and how many threads they have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def list_descendants(process: int) -> Iterator[int]:
    """Yield a process and all that descend from it, by /proc/PID/task/TID/children of proc(5)."""
    pending = [process]
    while pending:
        at = pending.pop()
        yield at
        try:
            tasks = os.listdir(f"/proc/{at}/task")
        except OSError:  # ENOENT, ESRCH: it has ended meanwhile
            continue
        for task in tasks:
            try:
                pending += map(int, Path(f"/proc/{at}/task/{task}/children").read_bytes().split())
            except OSError:  # ENOENT, ESRCH: the thread has ended meanwhile
                continue


def count_threads(process: int) -> int:
    """Return how many threads a process and its descendants have."""
    total = 0
    for at in list_descendants(process):
        try:
            total += len(os.listdir(f"/proc/{at}/task"))
        except OSError:  # ENOENT, ESRCH: it has ended meanwhile
            continue
    return total


def measure_memory(process: int, enough: int) -> int:
    """Return the bytes of memory of a process and its descendants; pages that they share count once.

    That is more work, and done only where the simple sum is more than ``enough``.
    """
    processes = list(list_descendants(process))
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for at in processes:
        try:
            total += int(Path(f"/proc/{at}/statm").read_bytes().split()[1]) * page
        except (OSError, IndexError):  # it has ended meanwhile
            continue
    return total if total <= enough else sum(map(measure_share, processes))


def measure_share(process: int) -> int:
    """Return a process's share of the memory it uses: a page of three processes counts a third."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_bytes().splitlines()
    except OSError:  # it has ended, or belongs to another user: then all of it counts
        try:
            return int(Path(f"/proc/{process}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), 0)
