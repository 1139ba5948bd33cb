"""What `trace`, `combine`, `pack` and `export` answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

from rtrace.answers.info import CountsAnswer, NoticeAnswer, answer_counts, answer_notices
from rtrace.answers.looking import FoundSecretAnswer, answer_secrets
from rtrace.answers.words import Bytes, Identity, Path, write_identity
from rtrace.bundle.counts import count_entries

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from rtrace.bundle.protocol import Exported
    from rtrace.operations.combine import Combined
    from rtrace.operations.pack import Forecast
    from rtrace.operations.parallel.ranks import RankReport
    from rtrace.operations.trace import TraceReport
    from rtrace.pack.packing import PackReport


class RankAnswer(TypedDict):
    """Which process of a parallel program was traced, and what became of the trace of all."""

    number: Annotated[int, "from 0 on"]
    size: Annotated[int, "how many ranks there are"]
    launcher: str
    job: str
    missing: Annotated[list[int], "the ranks that had not ended yet"]
    joined: Annotated[str | None, "the trace directory of all ranks, when this was the last one"]


class TraceAnswer(TypedDict):
    """What was traced."""

    directory: Annotated[str, "the trace directory"]
    exit_code: int | None
    signal: Annotated[int | None, "the signal that ended the command"]
    processes: int
    paths: int
    notices: list[NoticeAnswer]
    problem: Annotated[str | None, "what is wrong with the manifest or keeps the trace from its place, in a sentence"]
    record: Annotated[str | None, "the id of its record"]
    rank: Annotated[RankAnswer | None, "with --rank"]


class CombinationAnswer(TypedDict):
    """Traces that were joined."""

    directory: Annotated[str, "the new trace directory"]
    runs: int
    notices: list[NoticeAnswer]
    problems: Annotated[list[str], "edits that were not taken over, a sentence each"]


class PackAnswer(TypedDict):
    """A bundle that was written or, with --dry-run, would be: without identity and size then."""

    bundle: Path
    identity: Identity | None
    size: Bytes | None
    counts: CountsAnswer
    secrets: list[FoundSecretAnswer]
    notices: list[NoticeAnswer]
    incomplete: Annotated[list[str], "what was not there to be packed, a sentence each"]


class ExportAnswer(TypedDict):
    """A bundle that was written in another format."""

    target: Path
    to: Annotated[str, "the format"]
    identity: Identity
    size: Bytes
    files: int
    losses: Annotated[list[NoticeAnswer], "what the other format has no place for"]
    notes: Annotated[list[str], "how the file is used, a sentence each"]
    incomplete: Annotated[list[str], "what the bundle lacks, a sentence each"]


def answer_trace(report: TraceReport) -> TraceAnswer:
    """Return what `trace` answers."""
    return {
        "directory": str(report.directory.path),
        "exit_code": report.traced.exit_code,
        "signal": report.traced.signal,
        "processes": report.processes,
        "paths": report.paths,
        "notices": answer_notices(report.notices),
        "problem": report.problem,
        "record": None if report.record is None else report.record.id,
        "rank": None,
    }


def answer_rank(report: RankReport) -> TraceAnswer:
    """Return what `trace --rank` answers: the notices of all ranks when this was the last one."""
    answer = answer_trace(report.own)
    answer["problem"] = report.own.problem or report.problem
    combined = report.combined
    if combined is not None:
        answer["notices"] = answer_notices(combined.manifest.notices)
    answer["rank"] = {
        "number": report.rank.number,
        "size": report.rank.size,
        "launcher": report.rank.launcher,
        "job": report.rank.job,
        "missing": list(report.missing),
        "joined": None if combined is None else str(report.directory.path),
    }
    return answer


def answer_combine(combined: Combined, directory: FilePath) -> CombinationAnswer:
    """Return what `combine` answers."""
    return {
        "directory": str(directory),
        "runs": combined.runs,
        "notices": answer_notices(combined.manifest.notices),
        "problems": list(combined.problems),
    }


def answer_pack(report: PackReport) -> PackAnswer:
    """Return what `pack` answers."""
    return {
        "bundle": str(report.target),
        "identity": write_identity(report.identity),
        "size": report.target.stat().st_size,
        "counts": answer_counts(report.counts),
        "secrets": answer_secrets(report.secrets),
        "notices": answer_notices(report.notices),
        "incomplete": list(report.incomplete),
    }


def answer_forecast(foreseen: Forecast) -> PackAnswer:
    """Return what `pack --dry-run` answers; ``incomplete`` has what keeps it from writing a bundle."""
    plan = foreseen.plan
    return {
        "bundle": str(plan.target),
        "identity": None,
        "size": None,
        "counts": answer_counts(count_entries(plan.entries)),
        "secrets": answer_secrets(plan.manifest.secrets),
        "notices": answer_notices(foreseen.notices),
        "incomplete": [one.what for one in foreseen.missing],
    }


def answer_export(written: Exported, form: str) -> ExportAnswer:
    """Return what `export` answers."""
    return {
        "target": str(written.target),
        "to": form,
        "identity": write_identity(written.identity),
        "size": written.target.stat().st_size,
        "files": written.files,
        "losses": answer_notices(written.losses),
        "notes": list(written.notes),
        "incomplete": list(written.incomplete),
    }
