"""Who uses a target: one process of rtrace at a time, and the engine's commands that it started.

An flock(2) ends with the last process that holds its descriptor. A command inherits that where it makes or removes
something, so that nobody looks at what a killed rtrace left before its last command is through.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import BusyError
from rtrace.files.folders import has_descriptors
from rtrace.files.locks import Lock, try_lock
from rtrace.replay.target_folder import TargetFolder

PATIENCE = 3.0
"""Seconds to wait for a target: what a killed process has asked an engine for may take a moment to end."""
PAUSE = 0.02


@contextlib.contextmanager
def using(folder: TargetFolder) -> Iterator[int | None]:
    """Lock a target while the block lasts; yield the lock's descriptor, None without locks. Raises BusyError."""
    with wait_for_lock(folder) as lock:
        yield lock.descriptor


def wait_for_lock(folder: TargetFolder) -> Lock:
    """Lock a target, and wait a few seconds for it. Raises BusyError."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return folder.lock()
        except BusyError:
            if time.monotonic() >= deadline:
                debug(__name__, "%s is still in use after %.0f s", folder.shown, PATIENCE)
                raise
            time.sleep(PAUSE)


def hold_for_life(folder: Path, name: str) -> int | None:
    """Hold a file of a target as long as this process lives, wherever it is moved; return the descriptor."""
    if not has_descriptors():
        return None
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with contextlib.suppress(BlockingIOError):
        try_lock(descriptor, shared=True)
    return descriptor


def is_held(path: Path) -> bool:
    """Whether the maker of a target is alive, and so holds this file of it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # it was never made, or is gone
        return False
    try:
        try_lock(descriptor)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
