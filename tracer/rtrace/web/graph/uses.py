"""Which process read and wrote which file: the record does not say, and the trace does, as long as it is there."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import RtraceError
from rtrace.path_text import to_bytes
from rtrace.web.content.finding import replace_lone
from rtrace.web.content.traces import find_users, open_trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtrace.record.document import Record


@dataclass(frozen=True, slots=True)
class Uses:
    """The processes by their ids in the record, for each path."""

    reads: Mapping[str, set[int]]
    writes: Mapping[str, set[int]]


def read_uses(record: Record) -> Uses | None:
    """Return who used which input and output; None when no trace tells."""
    if record["trace"] is None or record["run_name"] is None:
        return None
    paths = {file["path"] for name in ("inputs", "outputs") for file in record[name]}
    names = {to_bytes(replace_lone(path)): path for path in paths}
    try:
        with open_trace(replace_lone(record["trace"])) as connection:
            reads, writes = find_users(connection, replace_lone(record["run_name"]), list(names))
    except (RtraceError, OSError, ValueError, sqlite3.Error) as error:
        debug(__name__, "the trace of the run is not to be had: %s", error)
        return None
    if not reads and not writes:
        return None
    return Uses(
        {names[path]: users for path, users in reads.items()}, {names[path]: users for path, users in writes.items()}
    )
