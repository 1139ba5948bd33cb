"""What is of use in ReproZip's trace database: which run used which path, and how its first process ended.

    since 0.7    processes and opened_files say to which run they belong
    before       they do not: a run is a first process (one without a parent) and its descendants
    before 0.3   opened_files does not tell directories; 0.2.1: processes have no exit code

A database is as hostile as the rest of a bundle: only real tables are asked, each question has a limit of steps, and a
database that cannot be read is reported and does no harm, as nothing in a replay depends on it.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING

from rtrace.bundle.hostile_database import check_table, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USES_FREE = 64 << 20
"""Bytes that all paths may take, with some room for what is known of each, and half as many as the database has."""
_USE_ROOM = 256
_PATH_LIMIT = 4096
_PROCESSES_LIMIT = 1_000_000
_TABLES = ("processes", "opened_files", "executed_files")
_SIGNAL = 0x100


class AccessMode(IntFlag):
    """The bits of opened_files.mode, and one more for what was executed."""

    READ = 1
    WRITE = 2
    WORKING_DIRECTORY = 4
    STAT = 8
    LINK = 16
    SOCKET = 32
    EXECUTED = 64
    DIRECTORY = 128


@dataclass(frozen=True, slots=True)
class TracedUses:
    """Every flag of every use of a path, by the run's number from 0 and the path; and the exit status of each run."""

    uses: dict[tuple[int, bytes], int] = field(default_factory=dict)
    exits: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)


def read_database(path: Path, runs: int) -> TracedUses:
    """Read the database of so many runs. Raises sqlite3.Error for one that cannot be read."""
    room = USES_FREE + path.stat().st_size // 2
    with open_database(path) as connection:
        columns = {table: check_table(connection, table) for table in _TABLES}
        traced = TracedUses()
        if "run_id" in columns["processes"]:
            offset = _first_run(connection, runs)
            run_of = None
        else:
            offset, run_of = 0, _runs_of_processes(connection)
        for run, name, mode in _uses(connection, columns, run_of):
            if 0 <= run - offset < runs and len(name) <= _PATH_LIMIT:
                key = (run - offset, os.path.normpath(b"/" + name.lstrip(b"/")))
                if key not in traced.uses:
                    room -= len(key[1]) + _USE_ROOM
                    if room < 0:
                        raise sqlite3.DataError("it has more rows than any that rtrace reads")
                traced.uses[key] = traced.uses.get(key, 0) | mode
        if "exitcode" in columns["processes"]:
            column = "run_id" if run_of is None else "id"
            rows = connection.execute(f"SELECT {column}, exitcode FROM processes WHERE parent IS NULL ORDER BY id DESC")  # noqa: S608
            for number, code in rows:
                if isinstance(code, int) and isinstance(number, int):
                    run = number - offset if run_of is None else run_of[number]
                    if 0 <= run < runs:
                        traced.exits[run] = (None, code & 0x7F) if code & _SIGNAL else (code & 0xFF, None)
    return traced


def _first_run(connection: sqlite3.Connection, runs: int) -> int:
    """Return the number of the first run: 0 from the tracer, 1 from `reprozip combine`."""
    least, most = connection.execute("SELECT min(run_id), max(run_id) FROM processes").fetchone()
    return 1 if (least, most) == (1, runs) else 0


def _runs_of_processes(connection: sqlite3.Connection) -> dict[int, int]:
    """Return the run of each process: that of its parent, or the next one."""
    run_of: dict[int, int] = {}
    begun = -1
    for process, parent in connection.execute("SELECT id, parent FROM processes ORDER BY id"):
        if parent is None:
            begun += 1
        if len(run_of) > _PROCESSES_LIMIT:
            raise sqlite3.DataError("it has more processes than any that rtrace reads")
        run_of[process] = begun if parent is None else run_of.get(parent, max(0, begun))
    return run_of


def _uses(
    connection: sqlite3.Connection, columns: dict[str, set[str]], run_of: dict[int, int] | None
) -> Iterator[tuple[int, bytes, int]]:
    """Yield run, absolute path and flags of everything that was opened or executed."""
    key = "run_id" if run_of is None else "process"
    directory = "is_directory" if "is_directory" in columns["opened_files"] else "0"
    for query in (
        f"SELECT DISTINCT {key}, name, mode, {directory} FROM opened_files",  # noqa: S608
        f"SELECT DISTINCT {key}, name, {int(AccessMode.EXECUTED)}, 0 FROM executed_files",  # noqa: S608
    ):
        for number, name, mode, is_directory in connection.execute(query):
            run = number if run_of is None else run_of.get(number, 0)
            if isinstance(run, int) and isinstance(name, bytes) and isinstance(mode, int) and name.startswith(b"/"):
                yield run, name, mode & 0x7F | (AccessMode.DIRECTORY if is_directory else 0)
