"""The record of a parallel program whose ranks were traced apart, made when their traces are joined."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from rtrace.errors import RtraceError
from rtrace.printable import shell_word
from rtrace.trace.parallel.processes import read_run_ranks
from rtrace.trace.reading.reader import open_for_reading, read_run_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.manifest.model import Notice
    from rtrace.record.document import Record
    from rtrace.trace.directory import TraceDirectory


def join_rank_records(
    sources: Sequence[TraceDirectory], target: TraceDirectory, notices: Sequence[Notice]
) -> Record | None:
    """Return one record for the ranks of one job, which these traces are; None where they are something else.

    ``notices`` are those of the trace of all. A rank whose tracer was killed has no record. Raises RecordError and
    HistoryError for one that cannot be read.
    """
    ranks = [_read_rank(source) for source in sources]
    if not ranks or None in ranks or len({(rank[1:]) for rank in ranks if rank}) > 1:
        return None
    from rtrace.operations.recording.own import is_own, note_own
    from rtrace.record.changing.joining import join_records
    from rtrace.record.taking.keeping import read_from_trace

    ordered = sorted(zip(ranks, sources, strict=True), key=lambda one: one[0] or ())
    records = [record for _, source in ordered for record in read_from_trace(source)]
    if not records:
        return None
    record = join_records(records, os.path.realpath(target.path))
    record["notices"] = [{"kind": one.kind, "what": one.what, "advice": one.advice} for one in notices]
    if all(map(is_own, records)):
        note_own(record)
    return record


def keep_in_history(record: Record) -> str | None:
    """Add a record to the history; return a sentence on what went wrong, if anything did."""
    from rtrace.record.history.opening import open_history

    try:
        open_history().add(record)
    except (OSError, RtraceError) as error:
        reason = str(error).rstrip(".")
        word = shell_word(record["trace"] or "")
        return f"the record is not in the history ({reason}); add it with `rtrace import {word}`"
    return None


def _read_rank(source: TraceDirectory) -> tuple[int, str, str, int] | None:
    """Return a trace's rank, and what tells its job from others; None where it is not that of one rank alone."""
    with closing(open_for_reading(source)) as connection:
        ranks = read_run_ranks(connection)
        alone = len(read_run_names(connection)) == 1
    if not alone or not ranks:
        return None
    (rank,) = ranks.values()
    return rank.number, rank.launcher, rank.job, rank.size
