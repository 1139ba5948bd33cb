"""Runs of the history as rows for a person, and the history that they are in."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence

from rtrace.cli.terminal.speaking import warn
from rtrace.cli.terminal.table import Column, show_table
from rtrace.operations.history.moments import write_moment, write_seconds
from rtrace.record.history.opening import open_history
from rtrace.record.history.protocol import History
from rtrace.record.query import Row

COLUMNS = (
    Column("RUN"),
    Column("STARTED", narrower=(19, 11)),
    Column("TOOK", numbers=True),
    Column("STATUS", narrower=(12, 6)),
    Column("LABEL", least=8, narrower=(5, 3)),
    Column("TAGS", least=8, narrower=(5, 3)),
    Column("REASON", least=12, narrower=(6, 3)),
    Column("COMMAND", least=20, narrower=(8, 6)),
)
_MOST_SHOWN = 1000
"""Characters of a cell: no terminal is wider."""


def open_own_history() -> History:
    """Open the person's history; what is wrong with its index is told."""
    return open_history(tell=warn)


def show_runs(rows: Sequence[Row], short: Callable[[str], str]) -> None:
    """Write runs as a table, or a line each."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    lines = [describe_row(row, short(row.id), _shorten if is_terminal else str) for row in rows]
    show_table(COLUMNS, lambda: lines)


def describe_row(row: Row, short: str, cut: Callable[[str], str]) -> tuple[str, ...]:
    """Return a run as a row for a person."""
    return (
        short,
        write_moment(row.started),
        write_seconds(row.wall),
        describe_status(row),
        cut(row.label or "-"),
        cut(",".join(row.tags) or "-"),
        cut(row.reason or "-"),
        cut(shlex.join(row.arguments)),
    )


def describe_status(row: Row) -> str:
    """Return how a run ended in a word or two; of what was not simply run, what it was."""
    if row.verdict is not None and row.kind != "replay":
        return f"{'verified' if row.kind == 'verification' else 'repeated'}: {row.verdict}"
    return row.status if row.kind == "run" else f"{row.kind}: {row.status}"


def _shorten(text: str) -> str:
    return text[:_MOST_SHOWN]
