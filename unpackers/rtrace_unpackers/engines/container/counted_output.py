"""Carry and count the output of an engine's command: a replayed program never holds a descriptor of the caller's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from rtrace_unpackers.isolation.streams.pumps import write_all

PART = 1 << 16


class Allowance:
    """How many bytes may still go through several pumps together; None is no limit."""

    def __init__(self, size: int | None) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, size: int) -> int:
        """Return how many bytes may go on, of that many which are there."""
        if self._left is None:
            return size
        with self._lock:
            taken = min(size, self._left)
            self._left -= taken
            return taken


class TellingPump(threading.Thread):
    """Copies until the source ends, and closes it.

    ``tell`` is called once, with None when there is more than may go on, or with the error that kept the sink from
    taking more: a program in a container gets no SIGPIPE for it. What comes after that is read and forgotten.
    """

    def __init__(self, source: int, sink: int, allowance: Allowance, tell: Callable[[OSError | None], None]) -> None:
        super().__init__(daemon=True)
        self._source = source
        self._sink = sink
        self._allowance = allowance
        self._tell = tell

    def run(self) -> None:
        """Copy."""
        is_open = True
        try:
            while data := os.read(self._source, PART):
                is_open = is_open and self._pass_on(data)
        except OSError:  # EIO: the last program has closed the terminal
            pass
        finally:
            os.close(self._source)

    def _pass_on(self, data: bytes) -> bool:
        """Write as much as may go, and tell whether more may."""
        size = self._allowance.take(len(data))
        try:
            write_all(self._sink, data[:size])
        except OSError as error:
            self._tell(error)
            return False
        if size < len(data):
            self._tell(None)
        return size == len(data)
