"""The record of a run that has just been traced: taken, and kept in its trace directory and in the history."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, NamedTuple

from rtrace.debugging import debug
from rtrace.errors import RtraceError
from rtrace.printable import shell_word
from rtrace.record.taking.said import NOTHING, Said

if TYPE_CHECKING:
    from rtrace.describe.draft import Draft
    from rtrace.record.document import Record
    from rtrace.trace.directory import TraceDirectory


class RecordRequest(NamedTuple):
    """What a person said of a run, and whether its record goes into the history."""

    said: Said = NOTHING
    history: bool = True


class Recorded(NamedTuple):
    """What became of the record of a run: its identifier, what went wrong, in a sentence, and what it cost.

    That is in seconds, by the clock, and of processor time, that of the programs that were asked included.
    """

    id: str | None
    problem: str | None
    seconds: float
    processor: float = 0.0


def record_run(
    connection: sqlite3.Connection,
    directory: TraceDirectory,
    target: TraceDirectory,
    run: int,
    draft: Draft,
    request: RecordRequest,
) -> Recorded:
    """Take the record of a run by its number, and keep it.

    ``directory`` is where its trace lies now, ``target`` where it is to be. Nothing is raised: the run is over, and
    whatever keeps it from being recorded, its exit status and its trace are the more important things.
    """
    began, used = time.perf_counter(), read_processor_time()
    again = f"add it with `rtrace import {shell_word(target.path)}`"
    try:
        record = take(connection, directory, target, run, draft, request.said)
    except Exception as error:  # noqa: BLE001 - a fault in a record must cost nobody a run
        debug(__name__, "no record: %r", error)
        return Recorded(None, f"the run was not recorded ({_name(error)}); {again}", time.perf_counter() - began)
    problem = None
    try:
        _keep(record, directory, history=request.history)
    except (OSError, RtraceError, sqlite3.Error) as error:
        problem = f"the record is not in the history ({_name(error)}); {again}"
    seconds = time.perf_counter() - began
    debug(__name__, "the record took %.3f s", seconds)
    return Recorded(record["id"], problem, seconds, read_processor_time() - used)


def read_processor_time() -> float:
    """Return the processor time of this process and of its children that have ended, in seconds."""
    import resource  # not on every system

    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def take(
    connection: sqlite3.Connection,
    directory: TraceDirectory,
    target: TraceDirectory,
    run: int,
    draft: Draft,
    said: Said,
) -> Record:
    """Return the record of a run of a trace, by its number; ``target`` is where the trace is to be."""
    from rtrace.record.taking.evidence import gather
    from rtrace.record.taking.taking import take_record
    from rtrace.trace.reading.reader import read_notices

    evidence = gather(connection, directory, run, draft)
    notices = read_notices(connection, {evidence.run.id})
    return take_record(
        evidence,
        said,
        target.path,
        [{"kind": one.kind, "what": one.what, "advice": one.advice} for one in notices],
    )


def _keep(record: Record, directory: TraceDirectory, *, history: bool) -> None:
    """Keep a record in its trace directory, and in the history. Raises OSError and HistoryError."""
    from rtrace.operations.recording.own import note_own
    from rtrace.record.taking.keeping import keep_in_trace

    document = keep_in_trace(directory, record)
    note_own(record)
    if history:
        from rtrace.record.history.opening import open_history

        open_history().add(record, document)


def _name(error: Exception) -> str:
    """Return what went wrong, in a word or a sentence."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
