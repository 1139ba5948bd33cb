"""A bar on a terminal, for tasks that take a while; nothing elsewhere."""

from __future__ import annotations

import os
import sys
import time

from rtrace.cli.terminal import speaking
from rtrace.progress import SILENT, Progress

_PATIENCE = 0.5
"""Seconds that a task may take before a bar is drawn."""
_PAUSE = 0.1
"""Seconds between two drawings."""


class TerminalProgress:
    """Draws a bar on standard error, with no control character but the return to the beginning of the line."""

    def __init__(self) -> None:
        """Begin with no bar."""
        self._task = ""
        self._total = self._done = 0
        self._began = self._next = 0.0

    def start(self, task: str, total: int) -> None:
        """Begin a task of ``total`` units."""
        speaking.leave_bar()
        self._task, self._total, self._done = task, total, 0
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
        """Write the bar: the task, how much of it is done, and how long the rest will take."""
        import shutil

        done = min(1.0, self._done / self._total) if self._total else 1.0
        width = max(10, min(40, shutil.get_terminal_size().columns - len(self._task) - 30))
        full = int(done * width)
        left = (now - self._began) * (1 - done) / done if done else 0
        rest = f"  {int(left) // 60:02}:{int(left) % 60:02}" if done < 1 else "       "
        return f"{self._task}  [{'#' * full}{'-' * (width - full)}]  {done:4.0%}{rest}"


def progress() -> Progress:
    """Return what to report to: a bar on a terminal, nobody elsewhere."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return TerminalProgress() if is_terminal and os.environ.get("TERM") != "dumb" else SILENT
