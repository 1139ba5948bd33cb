"""What `drift` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

if TYPE_CHECKING:
    from rtrace.operations.declared.drift import DriftReport
    from rtrace.operations.declared.pinning import Pinned


class DriftFindingAnswer(TypedDict):
    """A package that is not declared as it was used."""

    kind: Literal["undeclared", "unused", "version"]
    ecosystem: Annotated[str, "python, conda, R, npm, dpkg, rpm, apk; base: the system itself"]
    name: str
    declared: Annotated[str | None, "which versions the file asks for, as it has them"]
    used: Annotated[str | None, "the version that the run used"]
    source: Annotated[str | None, "the file that declares it"]
    group: Annotated[str | None, "main, lock, dev, build, constraint, or an extra's name"]


class DriftAnswer(TypedDict):
    """What a project declares, compared with what a run used."""

    drift: Annotated[bool | None, "null when that cannot be judged"]
    unknown: Annotated[str | None, "why it cannot be judged, in a sentence"]
    compared: Annotated[int, "the packages that the run used"]
    files: Annotated[list[str], "the files that declare something"]
    findings: list[DriftFindingAnswer]
    problems: Annotated[list[str], "what of the files could not be read, a sentence each"]
    written: Annotated[str | None, "with --write: the file"]
    losses: Annotated[list[str], "what the written file lacks, a sentence each"]


def answer_drift(report: DriftReport, pinned: Pinned | None, *, drifted: bool | None) -> DriftAnswer:
    """Return what `drift` answers."""
    return {
        "drift": drifted,
        "unknown": report.unknown,
        "compared": report.drift.compared,
        "files": list(report.drift.files),
        "findings": [
            {
                "kind": one.kind,
                "ecosystem": one.ecosystem,
                "name": one.name,
                "declared": one.declared,
                "used": one.used,
                "source": one.source,
                "group": one.group,
            }
            for one in report.drift.findings
        ],
        "problems": list(report.drift.problems),
        "written": None if pinned is None else str(pinned.path),
        "losses": [] if pinned is None else list(pinned.losses),
    }
