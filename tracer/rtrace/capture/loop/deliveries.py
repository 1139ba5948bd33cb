"""Which signals the program has got: those that ptrace stopped it for, and those that were passed on to it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import deque

from rtrace.linux.ptrace import read_sender
from rtrace.linux.signal_queues import SI_QUEUE, Arrival, queue_signal

WINDOW = 0.5
"""Seconds within which two signals with the same number and sender count as copies of one."""


class Deliveries:
    """Which signals the program has got, as its stops show; shared by the tracer's loop and the thread of signals."""

    def __init__(self, main: int, parent: int) -> None:
        """Watch process ``main``.

        If a ``parent`` passes on what it gets, one signal may come to the tracer twice, from two senders.
        """
        self.main = main
        self.parent = parent
        self.stopped = False
        self._lock = threading.Lock()
        self._got: deque[tuple[float, int, int, int]] = deque(maxlen=64)
        self._passed: deque[tuple[float, int, int, int]] = deque(maxlen=64)

    def take(self, tid: int, tgid: int, number: int) -> int:
        """Note the signal for which a thread is stopped; return its number, 0 for a copy of what was passed on."""
        sender = read_sender(tid)
        with self._lock:
            own = sender == os.getpid()
            if not own and self._find(self._passed, number, tgid, sender, remove=True):
                return 0
            self._got.append((time.monotonic(), number, tgid, sender))
        return number

    def has_copy(self, arrival: Arrival, tgid: int) -> bool:
        """Whether a process got what came to rtrace as well; each copy answers for one."""
        sender = None if arrival.number == signal.SIGCONT else arrival.sender
        with self._lock:
            return self._find(self._got, arrival.number, tgid, sender, remove=not self.parent)

    def pass_on(self, arrival: Arrival, tgid: int) -> None:
        """Send a process what came, and note it."""
        if arrival.sender:
            with self._lock:
                self._passed.append((time.monotonic(), arrival.number, tgid, arrival.sender))
        send(arrival, tgid)

    def _find(
        self, noted: deque[tuple[float, int, int, int]], number: int, tgid: int, sender: int | None, *, remove: bool
    ) -> bool:
        """Look for a signal among those noted lately; ``sender`` is None when anybody may have sent it."""
        earliest = time.monotonic() - WINDOW
        for note in noted:
            if note[0] >= earliest and note[1:3] == (number, tgid) and (sender in (None, note[3]) or self.parent):
                if remove:
                    noted.remove(note)
                return True
        return False


def send(arrival: Arrival, tgid: int) -> None:
    """Send a process a signal as it came: with what is queued with it, see sigqueue(3)."""
    with contextlib.suppress(ProcessLookupError):
        if arrival.code == SI_QUEUE and queue_signal(tgid, arrival.number, arrival.value):
            return
        os.kill(tgid, arrival.number)
