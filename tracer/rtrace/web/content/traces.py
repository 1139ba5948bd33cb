"""The trace that a record names, opened for a few questions: it may be gone by now, or be another one, or hostile."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rtrace.bundle.hostile_database import check_table, count_steps
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.reading.database import open_for_reading
from rtrace.trace.schema import Use

_STEP = 100_000
_READING, _WRITING = int(Use.READ | Use.EXECUTE), int(Use.WRITE | Use.TRUNCATE | Use.CREATE)
_TABLES = ("moves", "paths", "processes", "runs", "snapshots", "uses")
MOST_PATHS = 20_000

Users = dict[bytes, set[int]]


@contextmanager
def open_trace(folder: str) -> Iterator[sqlite3.Connection]:
    """Open the database of a trace. Raises TraceError, and sqlite3.Error, also when questions go on for too long."""
    directory = TraceDirectory(Path(folder))
    with closing(open_for_reading(directory)) as connection:
        left = iter(range(count_steps(directory.database)))
        connection.set_progress_handler(lambda: next(left, None) is None, _STEP)
        for name in _TABLES:
            check_table(connection, name)
        yield connection


def find_snapshots(connection: sqlite3.Connection, path: bytes) -> list[str]:
    """Return the names of the copies that were taken of a file before a run changed it."""
    rows = connection.execute(
        "SELECT DISTINCT file FROM snapshots JOIN paths ON paths.id = snapshots.path"
        " WHERE paths.path = ? AND file NOT NULL",
        (path,),
    )
    return [name for (name,) in rows if isinstance(name, str) and os.path.basename(name) == name]


def find_users(connection: sqlite3.Connection, run: str, paths: list[bytes]) -> tuple[Users, Users]:
    """Return which processes of a run read, and which wrote, some paths."""
    owners = _find_owners(connection, run)
    reads: Users = {}
    writes: Users = {}
    connection.execute("CREATE TEMP TABLE wanted(path BLOB PRIMARY KEY) WITHOUT ROWID")
    connection.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", ((path,) for path in paths[:MOST_PATHS]))
    rows = connection.execute(
        "SELECT paths.path, uses.process, uses.use FROM uses JOIN paths ON paths.id = uses.path"
        " JOIN runs ON runs.id = uses.run WHERE runs.name = ?1"
        " AND uses.path IN (SELECT id FROM paths JOIN wanted ON wanted.path = paths.path)"
        " UNION ALL SELECT paths.path, moves.process, ?2 FROM moves"
        " JOIN paths ON paths.id = moves.destination JOIN runs ON runs.id = moves.run WHERE runs.name = ?1"
        " AND moves.destination IN (SELECT id FROM paths JOIN wanted ON wanted.path = paths.path)",
        (run, _WRITING),
    )
    for path, process, use in rows:
        if isinstance(path, bytes) and isinstance(process, int) and isinstance(use, int):
            owner = owners.get(process, process)
            for flags, users in ((_READING, reads), (_WRITING, writes)):
                if use & flags:
                    users.setdefault(path, set()).add(owner)
    return reads, writes


def _find_owners(connection: sqlite3.Connection, run: str) -> dict[int, int]:
    """Return the process that each thread is of."""
    rows = connection.execute(
        "SELECT processes.id, processes.parent FROM processes JOIN runs ON runs.id = processes.run"
        " WHERE runs.name = ? AND is_thread",
        (run,),
    )
    parents = {thread: parent for thread, parent in rows if isinstance(thread, int) and isinstance(parent, int)}
    return {thread: _follow(parents, thread) for thread in parents}


def _follow(parents: dict[int, int], thread: int) -> int:
    seen = {thread}
    here = thread
    while here in parents and parents[here] not in seen:
        here = parents[here]
        seen.add(here)
    return here
