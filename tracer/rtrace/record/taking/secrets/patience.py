"""So much processor time for work on what anybody may have written, and no more: a run's end must not wait for it."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rtrace.gc_pause import without_collector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


_AGAIN = 0.2
"""Seconds of processor time after which work that did not stop is told again."""


class TooLongError(Exception):
    """What was begun takes too long, or all the time is used up."""


class Patience:
    """Processor time that several pieces of work share.

    The one that uses up the last of it is stopped in the midst, by a signal that regular expressions look for as well.
    Python swallows what is raised in a finalizer, so the signal comes again until the work has ended, and the garbage
    collector, which calls others' functions, rests meanwhile. Outside of the main thread, where Python handles no
    signals, work is stopped before the next piece.
    """

    def __init__(self, seconds: float) -> None:
        """Have so much time."""
        self._left = seconds
        self._working = self._stopped = False

    @contextmanager
    def limiting(self) -> Iterator[None]:
        """Stop what is done inside when the time is used up. Raises TooLongError."""
        if self._left <= 0:
            raise TooLongError
        began = time.process_time()
        try:
            if threading.current_thread() is threading.main_thread():
                with without_collector(), self._alarm():
                    yield
            else:
                yield
        finally:
            self._left = (
                0 if self._stopped else self._left - (time.process_time() - began)
            )  # the clocks differ a little

    @contextmanager
    def _alarm(self) -> Iterator[None]:
        before = signal.signal(signal.SIGVTALRM, self._stop)
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGVTALRM})  # a tracer has blocked all
        self._working = True
        signal.setitimer(signal.ITIMER_VIRTUAL, self._left, _AGAIN)
        try:
            yield
        finally:
            self._working = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            signal.signal(signal.SIGVTALRM, before if before is not None else signal.SIG_DFL)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self._working:
            self._stopped = True
            raise TooLongError
