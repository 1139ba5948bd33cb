"""Rows on their way to the trace database: collected in memory, committed about once a second."""

from __future__ import annotations

import sqlite3
from typing import Any

FLUSH_SECONDS = 1.0

INSERTS = {
    "paths": "INSERT INTO paths VALUES (?, ?)",
    "facts": "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "snapshots": "INSERT OR IGNORE INTO snapshots VALUES (?, ?, ?, ?)",
    "environments": "INSERT INTO environments VALUES (?, ?)",
    "processes": "INSERT INTO processes VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
    "ends": "UPDATE processes SET ended = ?, exit_code = ?, signal = ? WHERE id = ?",
    "executions": (
        "INSERT INTO executions(run, process, time, path, argv, environment, workingdir) VALUES (?, ?, ?, ?, ?, ?, ?)"
    ),
    "uses": "INSERT INTO uses(run, process, time, path, use) VALUES (?, ?, ?, ?, ?)",
    "moves": "INSERT INTO moves(run, process, time, kind, source, destination) VALUES (?, ?, ?, ?, ?, ?)",
    "connections": (
        "INSERT INTO connections(run, process, time, call, family, address, port) VALUES (?, ?, ?, ?, ?, ?, ?)"
    ),
    "results": "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "notices": "INSERT INTO notices(run, kind, what, advice) VALUES (?, ?, ?, ?)",
}

Row = tuple[Any, ...]


class Journal:
    """Keeps rows until ``flush``; one list for each statement, so that the loop only appends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Write to an open trace database, which stays the caller's to close."""
        self.connection = connection
        self.pending: dict[str, list[Row]] = {name: [] for name in INSERTS}

    def flush(self) -> None:
        """Commit every row collected so far in one transaction."""
        if not any(self.pending.values()):
            return
        self.connection.execute("BEGIN")
        for name, rows in self.pending.items():
            if rows:
                self.connection.executemany(INSERTS[name], rows)
                rows.clear()
        self.connection.execute("COMMIT")
