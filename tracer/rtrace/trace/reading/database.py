"""A trace database: opened for reading, and copied."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from rtrace.errors import TraceError
from rtrace.trace import advise_unreadable, explain_absence
from rtrace.trace.schema import TRACE_FORMAT

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.trace.directory import TraceDirectory


def open_for_reading(directory: TraceDirectory) -> sqlite3.Connection:
    """Open the database of a trace and leave its bytes alone, so that packing twice gives the same. Raises TraceError.

    A trace in pieces is read into memory. One whose tracer was killed still has a write-ahead log beside it, which
    SQLite reads along.
    """
    database = directory.database
    if not database.is_file():
        raise TraceError(explain_absence(directory.path))
    from rtrace.trace.pieces import list_pieces, open_in_memory

    try:
        if list_pieces(directory.path):
            connection: sqlite3.Connection = open_in_memory(directory.path, database)
        else:
            connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    except sqlite3.Error as error:
        raise TraceError(f"{database} is not a trace that can be read ({error}); {advise_unreadable(error)}") from None
    if row is None or row[0] != TRACE_FORMAT:
        connection.close()
        found = row[0] if row else "none"
        raise TraceError(f"{database} has trace format {found}; this rtrace reads format {TRACE_FORMAT}")
    return connection


def copy_database(connection: sqlite3.Connection, destination: Path) -> None:
    """Copy a database into one file of its own, whatever of it was still in a write-ahead log. Raises TraceError."""
    try:
        with closing(sqlite3.connect(destination, isolation_level=None)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:  # no space, or a limit on the size of files
        sentence = f"{destination} cannot be written ({error}); free some space, or raise a limit on the size of files"
        raise TraceError(sentence) from None
