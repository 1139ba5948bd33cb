"""Waits for something that another process does."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(is_done: Callable[[], bool], seconds: float = 60) -> None:
    """Return when something is so; fail when it is not within a time that is long on any machine."""
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def find_processes(words: bytes) -> list[int]:
    """Return the processes with these words of their command line."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if words in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(int(process))
        except OSError:
            continue
    return found
