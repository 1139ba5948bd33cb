"""The small interface through which workers tell how far they are."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a worker reports to; the command line implements it on a terminal."""

    def start(self, task: str, total: int) -> None:
        """Begin a task of ``total`` units (bytes or files, as the task's words say)."""

    def advance(self, amount: int) -> None:
        """Count ``amount`` further units as done."""

    def finish(self) -> None:
        """End the task."""


class SilentProgress:
    """Reports to nobody."""

    def start(self, task: str, total: int) -> None:
        """Ignore the beginning."""

    def advance(self, amount: int) -> None:
        """Ignore the step."""

    def finish(self) -> None:
        """Ignore the end."""


SILENT = SilentProgress()
