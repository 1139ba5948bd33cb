"""The exhibits of a verification: as many as there is room and time for, what is different before what is alike."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtrace.verify.exhibits.model import Exhibit

ROOM = 8 << 20
"""Bytes of all exhibits: what a page shows of them is less."""
SECONDS = 120.0
"""Wall time that all of them together may take."""
_LARGEST = 600 << 10
"""Bytes that the pictures of one may have."""
_PART = 8
"""One takes no more than this part of the room that is left, so that the first ones leave some for others."""
_LEAST = 2 << 10
_FOR_ALIKE = 4
"""What is alike gets this part of the room, and of the time."""


class Gallery:
    """Hands out the room for exhibits; ``left_out`` counts those for which there was none."""

    def __init__(
        self, takes: Callable[[bytes | None, str | None], bool], room: int = ROOM, seconds: float = SECONDS
    ) -> None:
        """Begin with all the room, in bytes, and all the time.

        ``takes`` tells whether a result is shown, by the path of a file or the name of a stream.
        """
        self.takes = takes
        self._rooms = {True: room // _FOR_ALIKE, False: room - room // _FOR_ALIKE}
        self._seconds = {True: seconds / _FOR_ALIKE, False: seconds - seconds / _FOR_ALIKE}
        self.left_out = 0

    def add(self, draw: Callable[[int], Exhibit | None], *, alike: bool) -> Exhibit | None:
        """Return what is drawn, by a function that is told how many bytes pictures may have; None without room."""
        room = self._rooms[alike]
        if room < _LEAST or self._seconds[alike] <= 0:
            self.left_out += 1
            return None
        began = time.monotonic()
        exhibit = draw(min(_LARGEST, max(_LEAST, room // _PART)))
        self._seconds[alike] -= time.monotonic() - began
        if exhibit is not None:
            self._rooms[alike] -= exhibit.size
        return exhibit
