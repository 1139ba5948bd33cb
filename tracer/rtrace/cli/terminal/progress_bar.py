"""A bar on a terminal, for tasks that take a while; nothing elsewhere."""

from __future__ import annotations

import os
import sys
import time

from rtrace.cli.terminal import speaking
from rtrace.printable import format_size
from rtrace.progress import SILENT, Progress, Unit

_PATIENCE = 0.5
"""Seconds that a task may take before a bar is drawn."""
_PAUSE = 0.1
"""Seconds between two drawings."""


class TerminalProgress:
    """Draws a bar on standard error, with no control character but the return to the beginning of the line."""

    def __init__(self) -> None:
        """Begin with no bar."""
        self._task = ""
        self._unit: Unit = "bytes"
        self._total = self._done = 0
        self._began = self._next = 0.0

    def start(self, task: str, total: int, unit: Unit = "bytes") -> None:
        """Begin a task of so many bytes or files."""
        speaking.leave_bar()
        self._task, self._total, self._done, self._unit = task, total, 0, unit
        self._began = time.monotonic()
        self._next = self._began + _PATIENCE

    def advance(self, amount: int) -> None:
        """Count, and draw the bar anew when it is time."""
        self._done += amount
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PAUSE
            speaking.draw_bar(self._describe(now))

    def finish(self) -> None:
        """End the bar's line, if there is one."""
        if self._next > self._began + _PATIENCE:
            speaking.draw_bar(self._describe(time.monotonic()))
        speaking.leave_bar()

    def _describe(self, now: float) -> str:
        """Return the bar: the task, how much of it is done, how fast it goes, and how long the rest will take."""
        import shutil

        done = min(1.0, self._done / self._total) if self._total else 1.0
        width = max(10, min(40, shutil.get_terminal_size().columns - len(self._task) - 44))
        full = int(done * width)
        took = now - self._began
        left = took * (1 - done) / done if done else 0
        rest = f"{int(left) // 60:02}:{int(left) % 60:02} left" if done < 1 else "          "
        return f"{self._task}  [{'#' * full}{'-' * (width - full)}]  {done:4.0%}  {self._rate(took):>12}  {rest}"

    def _rate(self, took: float) -> str:
        """Return how much is done in a second."""
        rate = self._done / took if took else 0.0
        return f"{format_size(rate)}/s" if self._unit == "bytes" else f"{rate:.0f} files/s"


def progress() -> Progress:
    """Return what to report to: a bar on a terminal, nobody elsewhere."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return TerminalProgress() if is_terminal and os.environ.get("TERM") != "dumb" else SILENT
