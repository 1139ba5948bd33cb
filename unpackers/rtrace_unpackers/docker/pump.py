"""Bytes from an engine's command to the caller's descriptors, which no replayed program ever holds."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from rtrace_unpackers.isolation.pumps import Meter, Pump


class TellingPump(Pump):
    """A pump that tells at once when its sink takes no more; both descriptors are its own, and closed in the end."""

    def __init__(self, source: int, sink: int, meter: Meter, tell: Callable[[OSError], None]) -> None:
        super().__init__(source, sink, meter=meter)
        self._tell = tell

    def start(self) -> None:
        """Start, away from signals where there are any."""
        if os.name == "posix":
            super().start()
        else:
            threading.Thread.start(self)

    def write(self, part: bytes) -> None:
        """Write all of it, or tell why not: a program in a container gets no SIGPIPE for it."""
        try:
            super().write(part)
        except OSError as error:
            self._tell(error)
            raise
