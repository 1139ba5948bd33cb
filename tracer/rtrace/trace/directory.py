"""Where things lie in a trace directory, and how its database is opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from rtrace import __version__
from rtrace.errors import TraceError
from rtrace.files.locks import Lock, lock_folder
from rtrace.printable import printable
from rtrace.trace import DATABASE, advise_unreadable, explain_absence
from rtrace.trace.schema import SCHEMA, TRACE_FORMAT

SNAPSHOTS = "snapshots"
STREAMS = "streams"
RECORDS = "records"
MANIFEST = "manifest.yml"
PROBE = "mapping.probe"
"""A file that is there for a moment, while one finds out what the file system can do."""
IGNORE = ".gitignore"


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
    def records(self) -> Path:
        """The folder of the runs' records; not there when nothing was recorded."""
        return self.path / RECORDS

    @property
    def manifest(self) -> Path:
        """The manifest that a person may edit."""
        return self.path / MANIFEST

    def fill(self) -> sqlite3.Connection:
        """Make an empty database, and room for copies, in a folder that is there and empty."""
        self.snapshots.mkdir(mode=0o700)
        self.ignore()
        connection = self._connect(new=True)
        connection.executescript(f"BEGIN; {SCHEMA}")
        connection.execute("INSERT INTO meta VALUES ('format', ?), ('rtrace', ?)", (TRACE_FORMAT, __version__))
        connection.execute("COMMIT")
        return connection

    def ignore(self) -> None:
        """Keep git(1), and what is built on it, from treating the trace as part of the work; see gitignore(5)."""
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(self.path / IGNORE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.write(descriptor, b"*\n")
            os.close(descriptor)

    def lock(self, *, shared: bool = False) -> Lock:
        """Lock a trace for a tracer, or ``shared`` for those who read it. Raises BusyError when it is in use.

        What is not a trace is not locked: whoever opens it is told what is wrong.
        """
        if not self.database.is_file():
            return Lock(None)
        self.refuse_links()
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return lock_folder(folder, printable(os.fsencode(self.path)), shared=shared)
        finally:
            os.close(folder)

    def refuse_links(self) -> None:
        """Raise TraceError for another user's symlink in the directory, which leads what is written there elsewhere."""
        with os.scandir(self.path) as entries:
            links = sorted(entry.name for entry in entries if entry.is_symlink() and not is_own(entry))
        if links:
            raise TraceError(
                f"{printable(os.fsencode(self.path))} holds {printable(os.fsencode(links[0]))}, a symbolic link of "
                "another user; put in its place what it leads to, or name another directory with -d"
            )

    def open(self) -> sqlite3.Connection:
        """Open the database of an existing trace; raise TraceError when it is not one that can be read."""
        if not self.database.is_file():
            raise TraceError(explain_absence(self.path))
        self.refuse_links()
        try:
            connection = self._connect()
            with closing(connection.execute("SELECT value FROM meta WHERE key = 'format'")) as rows:
                version = rows.fetchone()[0]
        except (sqlite3.Error, TypeError) as error:
            raise TraceError(f"{self.database} is not a trace ({error}); {advise_unreadable(error)}") from None
        if version != TRACE_FORMAT:
            connection.close()
            raise TraceError(f"{self.database} has trace format {version}; this rtrace reads format {TRACE_FORMAT}")
        add_columns(connection)
        return connection

    def _connect(self, *, new: bool = False) -> sqlite3.Connection:
        """Open the database for writing, in memory where no file may be large enough; one in pieces is joined."""
        from rtrace.trace.pieces import find_limit, list_pieces, open_in_memory, remove_pieces

        limited = find_limit() is not None
        if new:
            os.close(os.open(self.database, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))  # as are those beside it
        if limited:
            return open_in_memory(self.path, self.database)
        if not new and list_pieces(self.path):
            whole = self.database.with_name(DATABASE + ".new")
            with closing(open_in_memory(self.path, self.database)) as pieced, closing(sqlite3.connect(whole)) as target:
                pieced.backup(target)
            whole.replace(self.database)
            remove_pieces(self.path)
        return connect(self.database)


def is_own(entry: os.DirEntry[str]) -> bool:
    """Whether something in a folder, and no file that it may lead to, is this user's."""
    return entry.stat(follow_symlinks=False).st_uid == os.geteuid()


def add_columns(connection: sqlite3.Connection) -> None:
    """Add the columns that tables of an older version lack; their values are not known: NULL."""
    with closing(sqlite3.connect(":memory:")) as new:
        new.executescript(SCHEMA)
        for (table,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            known = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            for _, name, kind, *_ in new.execute(f"PRAGMA table_info({table})"):
                if known and name not in known:
                    connection.execute(f'ALTER TABLE {table} ADD COLUMN "{name}" {kind}')


def connect(database: Path) -> sqlite3.Connection:
    """Open a database in the way that suits a tracer that may be killed: what is committed is there for a reader.

    Write-ahead logging without fsync: a killed process loses nothing that was committed (the page cache is the
    kernel's), only a power failure could. See https://www.sqlite.org/pragma.html#pragma_synchronous. The log needs
    memory that processes share by a file beside it; where the file system has none, a rollback journal does.
    """
    mode = "WAL" if can_share_memory(database.parent) else "DELETE"
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    connection.executescript(f"PRAGMA journal_mode = {mode}; PRAGMA synchronous = OFF;")
    return connection


def can_share_memory(folder: Path) -> bool:
    """Whether files of a folder can be mapped into memory and written there: not on 9p, or FUSE with direct I/O.

    Where no file can be made nothing is said against it: who opens a database there tells why it cannot be.
    """
    import mmap

    probe = folder / PROBE
    try:
        descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return True
    try:
        os.truncate(descriptor, mmap.PAGESIZE)
        mmap.mmap(descriptor, mmap.PAGESIZE).close()
    except OSError:  # ENODEV, EINVAL
        return False
    finally:
        os.close(descriptor)
        os.unlink(probe)
    return True


def close(connection: sqlite3.Connection) -> None:
    """Close a database so that one file remains, with no write-ahead log beside it; or its pieces."""
    from rtrace.trace.pieces import PiecedConnection

    if isinstance(connection, PiecedConnection):
        connection.save()
    else:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
