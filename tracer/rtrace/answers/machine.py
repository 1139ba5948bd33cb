"""What `doctor` and `status` answer: of this machine, and of runs compared with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

from rtrace.answers.words import Path, Sentence
from rtrace.printable import printable, printable_text
from rtrace.replay.protocol import Part
from rtrace.staleness.model import Kind, Staleness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.replay.protocol import Ability
    from rtrace.staleness.model import StatusReport


class AbilityAnswer(TypedDict):
    """Something that was tried on this machine."""

    part: Annotated[Part, "what it is for"]
    name: str
    works: bool
    detail: Annotated[Sentence, "what it is good for, or why it does not work"]


class DoctorAnswer(TypedDict):
    """What works on this machine, and what killed processes of rtrace left."""

    abilities: list[AbilityAnswer]
    leftovers: Annotated[list[str], "what is left of killed processes; --clean removes it"]
    cleaned: Annotated[list[str], "what --clean did, a sentence each"]


def answer_doctor(abilities: Iterable[Ability], leftovers: Iterable[str], cleaned: Iterable[str]) -> DoctorAnswer:
    """Return what `doctor` answers."""
    return {
        "abilities": [
            {"part": one.part, "name": one.name, "works": one.works, "detail": one.detail} for one in abilities
        ],
        "leftovers": list(leftovers),
        "cleaned": list(cleaned),
    }


class ReasonAnswer(TypedDict):
    """Why a run would not give the same, or why that is not known."""

    kind: Kind
    path: Annotated[Path | None, "the file or folder; null for a package, a run, or a run without an end"]
    text: Sentence


class RunStatusAnswer(TypedDict):
    """What became of a run."""

    run: str
    argv: list[str]
    status: Staleness
    reasons: Annotated[list[ReasonAnswer], "what says most first; the first thousand"]
    more: Annotated[int, "further reasons"]


class StatusAnswer(TypedDict):
    """Which runs would no longer give on this machine what was recorded."""

    status: Annotated[Staleness, "stale: at least one run is; unknown: none is, and of one nobody can tell"]
    runs: list[RunStatusAnswer]
    compared: Annotated[int, "paths that were looked at"]
    hashed: Annotated[int, "files that had to be read"]


MOST_REASONS = 1000


def answer_status(report: StatusReport) -> StatusAnswer:
    """Return what `status` answers."""
    return {
        "status": report.staleness,
        "runs": [
            {
                "run": run.run,
                "argv": [printable(argument) for argument in run.argv],
                "status": run.staleness,
                "reasons": [
                    {
                        "kind": reason.kind,
                        "path": None if reason.path is None else printable(reason.path),
                        "text": printable_text(reason.text),
                    }
                    for reason in run.reasons[:MOST_REASONS]
                ],
                "more": max(0, len(run.reasons) - MOST_REASONS),
            }
            for run in report.runs
        ],
        "compared": report.paths,
        "hashed": report.hashed,
    }
