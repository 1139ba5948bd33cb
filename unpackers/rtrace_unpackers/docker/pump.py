"""Bytes from one descriptor to another, counted: a replayed program never holds a descriptor of the caller's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

PART = 1 << 16


class Allowance:
    """How many bytes may still go through several pumps together; None is as many as they like."""

    def __init__(self, size: int | None) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, size: int) -> int:
        """Return how many of that many bytes may go on."""
        if self._left is None:
            return size
        with self._lock:
            taken = min(size, self._left)
            self._left -= taken
            return taken


class Pump(threading.Thread):
    """Copies until the source ends, and closes it.

    ``tell`` is called once, with None when the allowance is used up, or with the error that kept the sink from taking
    more; what comes after that is read and forgotten.
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
        except OSError:  # EIO: the last program has closed the pty
            pass
        finally:
            os.close(self._source)

    def _pass_on(self, data: bytes) -> bool:
        """Write as much as may go, and tell whether more may."""
        size = self._allowance.take(len(data))
        rest = data[:size]
        try:
            while rest:
                rest = rest[os.write(self._sink, rest) :]
        except OSError as error:
            self._tell(error)
            return False
        if size < len(data):
            self._tell(None)
        return size == len(data)
