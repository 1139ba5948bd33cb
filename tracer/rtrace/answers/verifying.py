"""What `verify` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from rtrace.answers.words import Path, Seconds, Sentence
from rtrace.printable import printable
from rtrace.verify.comparators.model import Reason
from rtrace.verify.verdicts import Scope, Verdict

if TYPE_CHECKING:
    from rtrace.verify.verdicts import Report


class LineAnswer(TypedDict):
    """One thing that was compared: a path, a stream, or (neither) the exit status of a run."""

    verdict: Verdict
    scope: Annotated[Scope, "output: it counts; other: a file that no output names; ignored: by request"]
    run: str
    path: Path | None
    stream: Literal["stdout", "stderr"] | None
    reasons: Annotated[list[Reason], "why it is not the same"]
    detail: Sentence


class VerificationAnswer(TypedDict):
    """Whether the results of a replay are those of the original run."""

    verdict: Annotated[Literal["same", "different", "unknown"], "what all lines of the scope output together mean"]
    unpacker: Annotated[str, "what replayed it"]
    limit: Annotated[str | None, "the limit that ended a run"]
    seconds: Seconds
    incomplete: Annotated[list[str], "what the bundle lacks, a sentence each"]
    lines: list[LineAnswer]
    notes: Annotated[list[str], "what else there is to know, a sentence each"]


def answer_verify(report: Report, unpacker: str) -> VerificationAnswer:
    """Return what `verify` answers."""
    return {
        "verdict": report.verdict,
        "unpacker": unpacker,
        "limit": report.reached,
        "seconds": round(report.seconds, 3),
        "incomplete": list(report.incomplete),
        "lines": [
            {
                "verdict": line.verdict,
                "scope": line.scope,
                "run": line.run,
                "path": None if line.path is None else printable(line.path),
                "stream": line.stream,
                "reasons": list(line.reasons),
                "detail": line.detail,
            }
            for line in report.lines
        ],
        "notes": list(report.notes),
    }
