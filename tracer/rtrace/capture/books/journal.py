"""Rows on their way to the trace database: collected in memory, committed about once a second."""

from __future__ import annotations

import sqlite3
from typing import Any

from rtrace.capture.books.rows import STATEMENTS
from rtrace.files.stamps import keep_time

FLUSH_SECONDS = 0.8

Row = tuple[Any, ...]


def shorten(value: Any) -> Any:  # noqa: ANN401 - any column's
    """Return a number that a database can keep, and anything else as it is."""
    return keep_time(value) if isinstance(value, int) else value


class Journal:
    """Keeps rows until ``flush``; one list for each statement, so that the loop only appends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Write to an open trace database, which stays the caller's to close."""
        self.connection = connection
        self.pending: dict[str, list[Row]] = {name: [] for name in STATEMENTS}

    def take(self) -> dict[str, list[Row]]:
        """Hand over the rows collected so far; the lists that the loop appends to stay the same and are empty then."""
        taken = {name: rows.copy() for name, rows in self.pending.items() if rows}
        for name in taken:
            self.pending[name].clear()
        return taken

    def write(self, taken: dict[str, list[Row]]) -> None:
        """Commit rows that were handed over, in one transaction; take them back and raise where that fails."""
        if not taken:
            return
        try:
            try:
                self._insert(taken)
            except OverflowError:  # some number has more than 64 bits with a sign: no row is worth all others
                self.connection.execute("ROLLBACK")
                self._insert({name: [tuple(map(shorten, row)) for row in rows] for name, rows in taken.items()})
        except sqlite3.Error:  # the disk is full, as a rule
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            for name, rows in taken.items():
                self.pending[name][:0] = rows
            raise

    def _insert(self, taken: dict[str, list[Row]]) -> None:
        self.connection.execute("BEGIN")
        for name, rows in taken.items():
            self.connection.executemany(STATEMENTS[name], rows)
        self.connection.execute("COMMIT")

    def flush(self) -> None:
        """Commit every row collected so far."""
        self.write(self.take())
