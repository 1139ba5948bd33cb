"""Where things lie in a trace directory, and how its database is opened."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from rtrace import __version__
from rtrace.errors import TraceError
from rtrace.locks import Lock, lock_folder
from rtrace.printable import printable
from rtrace.trace.schema import ADDED, SCHEMA, TRACE_FORMAT

DEFAULT_NAME = ".rtrace"
DATABASE = "trace.sqlite3"
SNAPSHOTS = "snapshots"
STREAMS = "streams"
MANIFEST = "manifest.yml"


class TraceDirectory(NamedTuple):
    """A trace directory by its path; whether it exists is for the methods to find out."""

    path: Path

    @property
    def database(self) -> Path:
        """The SQLite database of the trace."""
        return self.path / DATABASE

    @property
    def snapshots(self) -> Path:
        """The folder of the copies that were taken before a file was changed."""
        return self.path / SNAPSHOTS

    @property
    def streams(self) -> Path:
        """The folder of what the runs wrote to standard output and error; not there when nothing was kept."""
        return self.path / STREAMS

    @property
    def manifest(self) -> Path:
        """The manifest that a person may edit."""
        return self.path / MANIFEST

    def fill(self) -> sqlite3.Connection:
        """Make an empty database, and room for copies, in a folder that is there and empty."""
        self.snapshots.mkdir(mode=0o700)
        connection = connect(self.database)
        connection.executescript(f"BEGIN; {SCHEMA}")
        connection.execute("INSERT INTO meta VALUES ('format', ?), ('rtrace', ?)", (TRACE_FORMAT, __version__))
        connection.execute("COMMIT")
        return connection

    def lock(self, *, shared: bool = False) -> Lock:
        """Lock a trace for a tracer, or ``shared`` for those who read it. Raises BusyError when it is in use.

        What is no trace is not locked: who opens it says what is wrong.
        """
        if not self.database.is_file():
            return Lock(None)
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return lock_folder(folder, printable(os.fsencode(self.path)), shared=shared)
        finally:
            os.close(folder)

    def open(self) -> sqlite3.Connection:
        """Open the database of an existing trace; raise TraceError when it is not one that can be read."""
        if not self.database.is_file():
            if self.path.exists():
                raise TraceError(f"{self.path} is not a trace directory; name another with -d")
            raise TraceError(f"{self.path} does not exist; run `rtrace trace COMMAND` first, or name another with -d")
        try:
            connection = connect(self.database)
            with closing(connection.execute("SELECT value FROM meta WHERE key = 'format'")) as rows:
                version = rows.fetchone()[0]
        except (sqlite3.Error, TypeError) as error:
            raise TraceError(f"{self.database} is not a trace ({error}); trace again with --overwrite") from None
        if version != TRACE_FORMAT:
            raise TraceError(f"{self.database} has trace format {version}; this rtrace reads format {TRACE_FORMAT}")
        return connection


def connect(database: Path) -> sqlite3.Connection:
    """Open a database in the way that suits a tracer that may be killed: what is committed is there for a reader.

    Write-ahead logging without fsync: a killed process loses nothing that was committed (the page cache is the
    kernel's), only a power failure could. See https://www.sqlite.org/pragma.html#pragma_synchronous.
    """
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")
    return connection


def close(connection: sqlite3.Connection) -> None:
    """Close a database so that one file remains, with no write-ahead log beside it."""
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def add_columns(connection: sqlite3.Connection, database: str = "main") -> None:
    """Add to the tables of a trace the columns that an older version did not make."""
    for table, columns in ADDED.items():
        there = {row[1] for row in connection.execute(f"PRAGMA {database}.table_info({table})")}
        for name, kind in columns.items():
            if name not in there:
                connection.execute(f"ALTER TABLE {database}.{table} ADD COLUMN {name} {kind}")
