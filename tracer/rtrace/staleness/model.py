"""What is found of the runs of a trace: reasons why one would not give the same again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from rtrace.printable import printable, printable_text

Kind: TypeAlias = Literal[
    "needs", "executable", "package", "changed", "gone", "appeared", "touched", "output", "unreadable", "unfinished"
]
"""Why: an earlier run that it needs is stale; an executable, or an installed package, is another; what it read is
changed or gone; what it looked for, or a new name in a folder that it listed, is there now; a file has another time and
nobody knows its content; its own output was changed or removed; a file cannot be looked at; its end was not seen."""
Staleness: TypeAlias = Literal["fresh", "stale", "unknown"]
DOUBTS: frozenset[Kind] = frozenset({"touched", "unreadable", "unfinished"})
"""Reasons that make nothing stale: they only keep one from knowing."""
_ORDER: tuple[Kind, ...] = (
    "needs", "executable", "package", "changed", "gone", "appeared", "output", "touched", "unreadable", "unfinished"
)  # fmt: skip


class State(NamedTuple):
    """What is, or was, at a path. ``type`` is None for nothing, and ``unreadable`` where nobody may look."""

    type: str | None
    size: int | None = None
    mtime_ns: int | None = None
    ctime_ns: int | None = None
    target: bytes | None = None


class Reason(NamedTuple):
    """Why a run would not give the same, or why nobody knows.

    ``path`` is the file or folder, ``detail`` says more: the versions of a package, the name of a run.
    """

    kind: Kind
    path: bytes | None = None
    detail: str = ""

    @property
    def text(self) -> str:
        """The reason, in a few words."""
        detail = printable_text(self.detail)
        if self.path is None:
            return f"needs {detail}" if self.kind == "needs" else detail
        words = {
            "executable": "executable {}: ",
            "appeared": "appeared: ",
            "changed": "changed: ",
            "gone": "gone: ",
            "touched": "has another time, and its content is not known: ",
            "unreadable": "cannot be looked at: ",
            "output": "output {}: ",
        }
        how = words[self.kind]
        if "{}" in how:
            return how.format(detail or "changed") + printable(self.path)
        return how + printable(self.path) + (f" ({detail})" if detail else "")


def sort_reasons(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Return each reason once, what says most first."""
    return tuple(sorted(dict.fromkeys(reasons), key=lambda one: (_ORDER.index(one.kind), one.path or b"", one.detail)))


@dataclass(frozen=True, slots=True)
class RunStatus:
    """What became of a run."""

    run: str
    argv: tuple[bytes, ...]
    reasons: tuple[Reason, ...]

    @property
    def staleness(self) -> Staleness:
        """Whether it would still give what was recorded."""
        if any(reason.kind not in DOUBTS for reason in self.reasons):
            return "stale"
        return "unknown" if self.reasons else "fresh"


@dataclass(frozen=True, slots=True)
class StatusReport:
    """All runs, how many paths were looked at and how many files had to be hashed."""

    runs: tuple[RunStatus, ...]
    paths: int
    hashed: int

    @property
    def staleness(self) -> Staleness:
        """What all runs together are: one that is stale is enough, and of nothing nothing is known."""
        found = {run.staleness for run in self.runs}
        return "stale" if "stale" in found else "unknown" if "unknown" in found or not found else "fresh"

    @property
    def exit_status(self) -> int:
        """What `rtrace status` exits with."""
        return {"fresh": 0, "stale": 1, "unknown": 3}[self.staleness]
