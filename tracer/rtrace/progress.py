"""The small interface through which workers tell how far they are."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

Unit: TypeAlias = Literal["bytes", "files"]


class Progress(Protocol):
    """What a worker reports to; the command line implements it on a terminal."""

    def start(self, task: str, total: int, unit: Unit = "bytes") -> None:
        """Begin a task of so many bytes or files; ``task`` is a word or two, as `packing`."""

    def advance(self, amount: int) -> None:
        """Count ``amount`` further units as done."""

    def finish(self) -> None:
        """End the task."""


class SilentProgress:
    """Reports to nobody."""

    def start(self, task: str, total: int, unit: Unit = "bytes") -> None:
        """Ignore the beginning."""

    def advance(self, amount: int) -> None:
        """Ignore the step."""

    def finish(self) -> None:
        """Ignore the end."""


SILENT = SilentProgress()
