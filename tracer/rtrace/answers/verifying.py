"""What `verify` answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from rtrace.answers.words import Path, Seconds, Sentence
from rtrace.freezing.model import Cause
from rtrace.printable import printable, printable_text
from rtrace.verify.differences import Reason
from rtrace.verify.kinds.model import Likeness
from rtrace.verify.verdicts import Overall, Scope, Verdict

if TYPE_CHECKING:
    from rtrace.verify.verdicts import Line, Report


class ComparisonAnswer(TypedDict):
    """What two contents say, by what they are."""

    likeness: Annotated[Likeness, "equal in substance, close within a tolerance, different, or not to be compared"]
    kind: Annotated[str, "what they are: text, table, JSON, PNG picture ..."]
    ignored: Annotated[list[str], "in what they differ that does not count"]
    place: Annotated[str, "where they differ first, in the words of their kind"]
    expected: Annotated[str, "what is there in the original"]
    found: Annotated[str, "what is there in the replay"]
    amount: Annotated[float | None, "the largest difference of two numbers, where that is finite"]
    note: Sentence


class LineAnswer(TypedDict):
    """One thing that was compared: a path, a stream, or (neither) the exit status of a run."""

    verdict: Verdict
    scope: Annotated[Scope, "output: it counts; other: a file that no output names; ignored: by request"]
    run: str
    path: Path | None
    stream: Literal["stdout", "stderr"] | None
    reasons: Annotated[list[Reason], "why it is not the same"]
    detail: Sentence
    comparison: Annotated[ComparisonAnswer | None, "a closer look at contents whose bytes differ"]
    causes: Annotated[list[Cause], "why it differs, by `--explain`; none where nobody looked for that"]


class ClaimedAnswer(TypedDict):
    """Something that a paper says, and whether the replay shows it again."""

    claim: Sentence
    run: str
    outputs: Annotated[list[str], "names of the outputs that show it; none: all by which the run is judged"]
    tolerance: Annotated[float | None, "by how much of the larger one numbers may differ"]
    reproduced: Annotated[bool | None, "null: it could not be judged"]
    verdict: Overall
    detail: Annotated[str, "by how many results it was judged, or why it was not reproduced"]


class ReplayedAnswer(TypedDict):
    """A run as it was replayed."""

    run: str
    exit_status: Annotated[int, "as a shell shows it"]
    limit: Annotated[str | None, "the limit that ended it"]
    seconds: Seconds
    memory: Annotated[int | None, "bytes of its largest process, resident; null: nobody measured it"]
    memory_is_most: Annotated[bool, "it may have been less"]


class CountsAnswer(TypedDict):
    """How many results have each verdict."""

    same: int
    equal: int
    close: int
    different: int
    missing: int
    extra: int
    unknown: int


class VerificationAnswer(TypedDict):
    """Whether the results of a replay are those of the original run."""

    verdict: Annotated[Overall, "what all lines of the scope output together mean"]
    summary: Sentence
    counts: Annotated[CountsAnswer, "of the scope output"]
    replays: list[ReplayedAnswer]
    unpacker: Annotated[str, "what replayed it"]
    limit: Annotated[str | None, "the limit that ended a run"]
    seconds: Seconds
    incomplete: Annotated[list[str], "what the bundle lacks, a sentence each"]
    lines: list[LineAnswer]
    claims: Annotated[list[ClaimedAnswer], "a row for each claim on a run that was replayed"]
    notes: Annotated[list[str], "what else there is to know, a sentence each"]


def answer_comparison(line: Line) -> ComparisonAnswer | None:
    """Return what a closer look at a result found; None where there was none."""
    judgement = line.judgement
    if judgement is None:
        return None
    return {
        "likeness": judgement.likeness,
        "kind": judgement.kind,
        "ignored": [printable_text(text) for text in judgement.ignored],
        "place": printable_text(judgement.place),
        "expected": printable_text(judgement.expected),
        "found": printable_text(judgement.found),
        "amount": judgement.amount if judgement.amount is not None and math.isfinite(judgement.amount) else None,
        "note": printable_text(judgement.note),
    }


def count_results(report: Report) -> CountsAnswer:
    """Return how many results have each verdict."""
    found = report.count("output")
    return {
        "same": found["same"],
        "equal": found["equal"],
        "close": found["close"],
        "different": found["different"],
        "missing": found["missing"],
        "extra": found["extra"],
        "unknown": found["unknown"],
    }


def answer_verify(report: Report, unpacker: str) -> VerificationAnswer:
    """Return what `verify` answers."""
    return {
        "verdict": report.verdict,
        "summary": report.summary,
        "counts": count_results(report),
        "replays": [
            {
                "run": replay.run,
                "exit_status": replay.exit_status,
                "limit": replay.reached,
                "seconds": round(replay.seconds, 3),
                "memory": replay.memory,
                "memory_is_most": replay.is_most,
            }
            for replay in report.replays
        ],
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
                "comparison": answer_comparison(line),
                "causes": list(line.causes),
            }
            for line in report.lines
        ],
        "claims": [
            {
                "claim": printable_text(row.claim.claim),
                "run": row.claim.run,
                "outputs": list(row.claim.outputs),
                "tolerance": row.claim.tolerance,
                "reproduced": row.reproduced,
                "verdict": row.verdict,
                "detail": row.detail,
            }
            for row in report.claims
        ],
        "notes": list(report.notes),
    }
