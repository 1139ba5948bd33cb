"""Every question that can be asked of a trace database, under one name; the answers are in `rtrace.trace.reading`."""

from __future__ import annotations

from rtrace.trace.reading.changes import After, Copy, Move, read_attributes, read_copies, read_moves, read_results
from rtrace.trace.reading.database import copy_database, open_for_reading
from rtrace.trace.reading.runs import (
    Count,
    call_runs,
    count_run,
    read_modules,
    read_notices,
    read_pids,
    read_run_names,
    read_run_starts,
    read_runs,
    split_items,
)
from rtrace.trace.reading.streams import read_descriptors, read_streams
from rtrace.trace.reading.uses import read_replaced, read_uses
from rtrace.trace.reading.world import Before, is_below, read_world

__all__ = [
    "After",
    "Before",
    "Copy",
    "Count",
    "Move",
    "call_runs",
    "copy_database",
    "count_run",
    "is_below",
    "open_for_reading",
    "read_attributes",
    "read_copies",
    "read_descriptors",
    "read_modules",
    "read_moves",
    "read_notices",
    "read_pids",
    "read_replaced",
    "read_results",
    "read_run_names",
    "read_run_starts",
    "read_runs",
    "read_streams",
    "read_uses",
    "read_world",
    "split_items",
]
