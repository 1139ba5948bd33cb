"""The records of runs that have none: their tracer was killed, or a full disk was in the way."""

from __future__ import annotations

import errno
from contextlib import closing
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.operations.recording.traced import take
from rtrace.record.taking.keeping import keep_in_trace, list_documents
from rtrace.record.taking.said import NOTHING
from rtrace.record.times import now

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.trace.directory import TraceDirectory

_NOT_OURS_TO_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def record_missing(directory: TraceDirectory) -> list[Record]:
    """Take the records of runs of a trace that have none; return those that the trace directory could not take.

    Machine, user and repositories are as they are now, which a notice in each record says.
    Raises TraceError for what is no trace.
    """
    from rtrace.describe.draft import make_draft
    from rtrace.trace.reading.reader import open_for_reading, read_run_names

    with closing(open_for_reading(directory)) as connection:
        there = list_documents(directory)
        missing = {number: name for number, name in read_run_names(connection).items() if name not in there}
        if not missing:
            return []
        draft = make_draft(connection, directory)
        found = [take(connection, directory, directory, number, draft, NOTHING) for number in missing]
    homeless = []
    for record in found:
        what = f"the record was taken at {now()} and not when the run ended"
        advice = "machine, user and repositories are as they were then; what was said of the run is not known"
        record["notices"].append({"kind": "late", "what": what, "advice": advice})
        try:
            keep_in_trace(directory, record)
        except OSError as error:  # the history has it all the same
            if error.errno not in _NOT_OURS_TO_WRITE:
                raise
            debug(__name__, "not kept in %s: %s", directory.path, error)
            homeless.append(record)
    return homeless
