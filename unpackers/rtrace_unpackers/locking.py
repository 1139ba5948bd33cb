"""Who uses a folder: an flock(2), which ends with the last process that holds the descriptor, however that ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 3.0
"""Seconds to wait for a lock: what a killed process has asked an engine for may take a moment to end."""
PAUSE = 0.02


@contextlib.contextmanager
def locked(path: Path, *, patience: float | None = None) -> Iterator[int | None]:
    """Hold a file or folder alone; yield the descriptor, None where the system has no such locks.

    Children that inherit the descriptor hold the lock as well. Raises BlockingIOError when others hold it.
    """
    if os.name != "posix":
        yield None
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + (PATIENCE if patience is None else patience)
        while not try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise BlockingIOError
            time.sleep(PAUSE)
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take a lock if nobody else holds it; on a file system without locks, everybody gets it."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # EBADF, ENOLCK, EOPNOTSUPP: a network's file system, where no lock can be had
        return True
    return True


def is_locked(path: Path) -> bool:
    """Tell whether anybody holds a file or folder, which must not be a symbolic link."""
    try:
        with locked(path, patience=0):
            return False
    except BlockingIOError:
        return True


def hold_for_life(path: Path) -> int | None:
    """Hold a file as long as this process lives, wherever it is moved, together with others; return its descriptor."""
    if os.name != "posix":
        return None
    import fcntl

    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # as in try_lock
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor
