"""Why a difference may prove nothing: the replay was not given all that the original was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtrace.manifest.incompleteness import DOUBTS
from rtrace.verify.differences import Reason
from rtrace.verify.verdicts import ALIKE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.manifest.model import Manifest, Run
    from rtrace.verify.verdicts import Line


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason, in a sentence and as a word that a program can rely on."""

    sentence: str
    reason: Reason


NO_INPUT = Doubt("some of the original's input was not captured", "input")
CUT_SHORT = Doubt("the original run was cut short", "interrupted")
NO_PACKAGE = Doubt("packages were left out of the bundle (`pack: false`)", "package")


def find_doubts(manifest: Manifest, runs: Sequence[Run]) -> dict[str, Doubt]:
    """Return, by run, the first reason why a difference from the original proves nothing; ``runs`` are replayed."""
    told = any(notice.kind in DOUBTS for notice in manifest.notices)
    lacks_input = told or any(run.lacks_input for run in runs)
    lacks_package = any(not package.pack for package in manifest.packages)
    doubts = {}
    for run in runs:
        is_cut = run.exit_status is None or run.interruption is not None
        found = NO_INPUT if lacks_input else CUT_SHORT if is_cut else NO_PACKAGE if lacks_package else None
        if found is not None:
            doubts[run.id] = found
    return doubts


def doubt(line: Line, why: Doubt) -> Line:
    """Return a difference as one that proves nothing."""
    if line.verdict in {*ALIKE, "unknown"}:
        return line
    detail = f"{line.verdict}, {line.detail}" if line.detail else line.verdict
    return replace(line, verdict="unknown", detail=f"{detail}; {why.sentence}", reasons=(*line.reasons, why.reason))
