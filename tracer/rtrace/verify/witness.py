"""Whether a replay wrote what seems to be the same: the bundle may hold it as the run left it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.replay.protocol import Stamper
from rtrace.verify.held import UNTOLD, UNWRITTEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtrace.replay.protocol import Stamp, Target
    from rtrace.verify.verdicts import Line

_SEEMING = frozenset({"same", "different"})
"""What a file may seem to be that came with the bundle and was not written: a placeholder is different."""


class Witness:
    """Knows of files that the bundle holds as a run left them whether the replay wrote them."""

    def __init__(self, target: Target, held: frozenset[tuple[str, bytes]]) -> None:
        self._target = target
        self._held = held
        self._before = self._stamp()

    def settle(self, lines: list[Line], run: str) -> list[Line]:
        """Return the lines with another verdict for what seems to be the same and was not written by the replay."""
        suspects = {line.path for line in lines if line.verdict in _SEEMING and (line.run, line.path) in self._held}
        if not suspects or run not in {held for held, _ in self._held}:
            return lines
        now = self._stamp()
        return [self._judge(line, now) if line.run == run and line.path in suspects else line for line in lines]

    def _judge(self, line: Line, now: Mapping[bytes, Stamp]) -> Line:
        if line.path is None or line.verdict not in _SEEMING or (line.run, line.path) not in self._held:
            return line
        before, after = self._before.get(line.path), now.get(line.path)
        if before is None or after is None:
            if line.verdict != "same":
                return line
            return replace(line, verdict="unknown", detail=UNTOLD, reasons=("not told",))
        return line if before != after else replace(line, verdict="missing", detail=UNWRITTEN, reasons=("not written",))

    def _stamp(self) -> Mapping[bytes, Stamp]:
        if not self._held or not isinstance(self._target, Stamper):
            return {}
        return self._target.stamp({path for _, path in self._held})
