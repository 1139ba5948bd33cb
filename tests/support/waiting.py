"""Waits for something that another process does."""

import time
from collections.abc import Callable


def wait_until(is_done: Callable[[], bool], seconds: float = 60) -> None:
    """Return when something is so; fail when it is not within a time that is long on any machine."""
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
