"""`rtrace repeat`: a command is run again as it was recorded, traced, and its results compared with the first ones."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import BusyError, UsageError
from rtrace.operations.recording.own import is_own
from rtrace.operations.recording.traced import RecordRequest
from rtrace.path_text import to_bytes
from rtrace.printable import name_some, printable, printable_text, shorten
from rtrace.privacy.redacting import REDACTED
from rtrace.record.diff import name_path
from rtrace.record.document import FileFact, Record, VerdictFact
from rtrace.record.history.protocol import History
from rtrace.record.taking.said import Said

if TYPE_CHECKING:
    from rtrace.operations.repeating.firsts import Firsts
    from rtrace.operations.trace import TraceReport

SAME, EQUAL, DIFFERENT, UNKNOWN = "same", "equal", "different", "unknown"
STATUSES = {SAME: 0, EQUAL: 0, DIFFERENT: 1, UNKNOWN: 3}
_ANOTHER = "another content"
_MOST_DIFFERENCES = 100
_LONGEST_COMMAND, _MOST_NAMED = 2000, 30
_REDACTED = REDACTED.decode()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run again: the words of the command, where, and with which variables.

    ``present`` are variables that were taken out of the record as secrets and are taken from here; ``absent`` those
    that are not here either.
    """

    argv: tuple[bytes, ...]
    workingdir: bytes
    environment: dict[bytes, bytes]
    present: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """What came of it."""

    identifier: str
    parent: str
    directory: Path | None
    """Where its trace is, if it was kept."""
    verdict: VerdictFact


def plan_repetition(record: Record, present: Mapping[bytes, bytes], shown: str) -> Plan:
    """Return what has to be run for a record, which errors call ``shown``.

    Raises UsageError when the record does not say enough.
    """
    if record["kind"] != "run":
        raise UsageError(f"{shown} is a {record['kind']}; name the run that it is of")
    if not record["arguments"] or not record["workingdir"]:
        raise UsageError(f"the record of {shown} has no command and folder to run it in; use `rtrace replay`")
    hidden = [word for word in record["arguments"] if _REDACTED in word and record["redacted"]]
    if hidden:
        word = printable_text(shorten(hidden[0]))
        raise UsageError(f"a secret was taken out of the command of {shown} ({word}); run it with `rtrace trace`")
    folder = to_bytes(record["workingdir"])
    if not os.path.isdir(folder):
        raise UsageError(
            f"the folder {printable_text(record['workingdir'])} is not there any more; use `rtrace replay`"
        )
    environment, taken, absent = {}, [], []
    for name, value in record["environment"].items():
        key = to_bytes(name)
        if _REDACTED not in value or not record["redacted"]:
            environment[key] = to_bytes(value)
        elif key in present:
            environment[key] = present[key]
            taken.append(name)
        else:
            absent.append(name)
    argv = tuple(map(to_bytes, record["arguments"]))
    return Plan(argv, folder, environment or dict(present), tuple(taken), tuple(absent))


def refuse_foreign(record: Record, plan: Plan, present: Mapping[bytes, bytes], shown: str) -> None:
    """Raise UsageError for a record that was not made by this user here: it may run anything.

    It tells what would be run. Variables count as much as words: they can lead to other programs.
    """
    if is_own(record):
        return
    who, where = record["user"]["name"] or "nobody", record["machine"]["hostname"] or "a machine without a name"
    command = " ".join(map(shlex.quote, record["arguments"]))
    if len(command) > _LONGEST_COMMAND:
        command = f"{command[:_LONGEST_COMMAND]}... ({len(command)} characters)"
    names = [printable(name) for name, value in sorted(plan.environment.items()) if present.get(name) != value]
    variables = f", with values of its own for {name_some(names, _MOST_NAMED)}" if names else ""
    raise UsageError(
        f"{shown} was not recorded here by you (it names {printable_text(who)} on {printable_text(where)}); "
        f"it would run `{printable_text(command)}` in {printable(plan.workingdir)}{variables}; "
        f"look at it with `rtrace show {shown}`, and run it with `rtrace repeat --yes {shown}`"
    )


def compare_results(first: Record, second: Record, firsts: Firsts) -> VerdictFact:
    """Return whether a repetition left the same: its end, what it printed, and its outputs.

    Outputs of other bytes are compared as what they are, those that were still there before.
    """
    differences: list[str] = []
    alike: list[str] = []
    doubts: list[str] = []
    if (first["exit_code"], first["signal"]) != (second["exit_code"], second["signal"]):
        differences.append(f"it ended otherwise: {describe_end(first)}, now {describe_end(second)}")
    if first["status"] == "crashed" or second["status"] == "crashed":
        doubts.append("a tracer was ended before its run")
    before, after = index_outputs(first), index_outputs(second)
    for path in sorted({*before, *after}):
        difference, doubt = compare_file(before.get(path), after.get(path))
        line = firsts.judge(after[path], _ANOTHER) if _ANOTHER in difference else None
        if line is not None and line.verdict == EQUAL:
            alike.append(f"{printable_text(path)}: {line.detail}")
            continue
        differences += [f"{printable_text(path)}: {line.detail if line else one}" for one in difference]
        doubts += [f"{printable_text(path)}: {one}" for one in doubt]
    streams = 0
    for name in ("stdout", "stderr"):
        one, other = first[name], second[name]
        if one is None or other is None or one["sha256"] is None or other["sha256"] is None:
            continue
        streams += 1
        if one["sha256"] != other["sha256"]:
            differences.append(f"{name}: something else was printed")
    compared = len({*before, *after}) + streams
    if differences:
        verdict = DIFFERENT
    else:
        verdict = EQUAL if alike else SAME
        if doubts or (not compared and second["status"] == "unknown"):
            verdict = UNKNOWN
    return {
        "verdict": verdict,
        "exit_status": STATUSES[verdict],
        "unpacker": None,
        "compared": compared,
        "differences": [*differences, *doubts, *(f"{EQUAL}: {sentence}" for sentence in alike)][:_MOST_DIFFERENCES],
    }


def index_outputs(record: Record) -> dict[str, FileFact]:
    """Return the outputs of a run by their paths, those below the folder that it ran in as seen from there."""
    return {name_path(record, file["path"]): file for file in record["outputs"]}


def compare_file(before: FileFact | None, after: FileFact | None) -> tuple[Iterable[str], Iterable[str]]:
    """Return how an output differs, and why that is not known."""
    if before is None:
        return ["written now alone"], []
    if after is None:
        return ["not written again"], []
    if before["sha256"] is None or after["sha256"] is None:
        return [], [before["problem"] or after["problem"] or "its content was not digested"]
    return ([], []) if before["sha256"] == after["sha256"] else ([_ANOTHER], [])


def describe_end(record: Record) -> str:
    """Return how a run ended."""
    return f"signal {record['signal']}" if record["signal"] is not None else f"status {record['exit_code']}"


def name_directory(short: str) -> Path:
    """Return a name that is free here for the trace directory of the repetition of a run."""
    names = (f".rtrace-repeat-{short}{f'-{number}' if number > 1 else ''}" for number in count(1))
    return next(path for path in map(Path, names) if not os.path.lexists(path))


def repeat(plan: Plan, directory: Path, said: Said, tell: Callable[[str], None]) -> tuple[Record | None, TraceReport]:
    """Run a command again and trace it into a directory; return its record, None where none could be taken.

    The record is not in the history yet. Raises what `trace_into` raises, and UsageError.
    """
    from rtrace.operations.trace import TraceRequest, trace_into
    from rtrace.record.taking.keeping import read_from_trace
    from rtrace.trace.directory import TraceDirectory

    place = TraceDirectory(directory.absolute())
    environ = tuple(name + b"=" + value for name, value in plan.environment.items())
    request = TraceRequest(plan.argv, record=RecordRequest(said, history=False), environ=environ)
    try:
        os.chdir(plan.workingdir)
    except OSError as error:
        raise UsageError(f"cannot run in {printable(plan.workingdir)}: {error.strerror}; use `rtrace replay`") from None
    report = trace_into(
        place,
        request,
        on_waiting=lambda programs: tell(f"the command has ended; waiting for {', '.join(programs)}"),
        on_loss=lambda what, advice: tell(f"{what}; {advice}"),
    )
    records = {record["id"]: record for record in read_from_trace(report.directory)}
    return records.get((report.record and report.record.id) or ""), report


def judge(
    history: History, first: Record, second: Record, report: TraceReport, firsts: Firsts, *, keep: bool
) -> Repeated:
    """Compare a repetition with the run that it repeats, and keep its record with the verdict. Raises HistoryError.

    Unless somebody wants to ``keep`` it, the trace of one with the same results is removed: the history knows what came
    of it. Where results differ, one wants to look into it, or to pack it.
    """
    from rtrace.trace.moving import remove_trace

    verdict = compare_results(first, second, firsts)
    if keep or STATUSES[verdict["verdict"]] != 0:
        keep_repetition(history, first, second, report, verdict)
        return Repeated(second["id"], first["id"], report.directory.path, verdict)
    keep_repetition(history, first, second, report, verdict, removed=True)
    try:
        with report.directory.lock():
            remove_trace(report.directory.path)
    except (OSError, BusyError):  # somebody looks into it, or the file system fails: it is told where it is
        return Repeated(second["id"], first["id"], report.directory.path, verdict)
    return Repeated(second["id"], first["id"], None, verdict)


def keep_repetition(
    history: History,
    first: Record,
    second: Record,
    report: TraceReport,
    verdict: VerdictFact | None,
    *,
    removed: bool = False,
) -> None:
    """Keep the record of a repetition, without a verdict where it was interrupted. Raises HistoryError.

    The one in the history does not name a trace that is about to be ``removed``.
    """
    from rtrace.record.taking.keeping import keep_in_trace

    second["parent"], second["verdict"] = first["id"], verdict
    keep_in_trace(report.directory, second)
    history.add({**second, "trace": None, "run_name": None} if removed else second)


def find_interruption(report: TraceReport) -> int | None:
    """Return the signal by which somebody ended a repetition, as its end or its exit status tells: it proves nothing.

    An exit status of 129 is no sign of SIGHUP, for some programs tell of wrong usage by it.
    """
    traced = report.traced
    number = traced.exit_status - 128
    return number if number in {signal.SIGINT, signal.SIGTERM} or traced.signal == signal.SIGHUP else None
