"""Where things lie in a trace directory, and how its database is opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from rtrace import __version__
from rtrace.errors import TraceError
from rtrace.trace.schema import SCHEMA, TRACE_FORMAT

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

    def create(self) -> sqlite3.Connection:
        """Make the directory with an empty database; raise TraceError when there is something at its path."""
        try:
            self.path.mkdir(mode=0o755)
            self.snapshots.mkdir(mode=0o700)
        except FileExistsError:
            raise TraceError(
                f"{self.path} exists already; use --continue to add a run to it, --overwrite to replace it, "
                "or -d to write elsewhere"
            ) from None
        except OSError as error:
            raise TraceError(f"cannot make {self.path}: {error.strerror}; use -d to write elsewhere") from None
        try:
            connection = connect(self.database)
            connection.executescript(f"BEGIN; {SCHEMA}")
            connection.execute("INSERT INTO meta VALUES ('format', ?), ('rtrace', ?)", (TRACE_FORMAT, __version__))
            connection.execute("COMMIT")
        except sqlite3.Error as error:  # a full disk, or a longer path than SQLite opens
            import shutil

            shutil.rmtree(self.path, ignore_errors=True)
            raise TraceError(f"cannot make {self.database} ({error}); use -d to write elsewhere") from None
        return connection

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
