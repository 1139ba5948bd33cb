"""ReproZip's trace database from rtrace's.

ReproZip numbers the processes of all runs from first to last, and its readers expect times to go on from one run to the
next, a parent before its children, and whatever a process does after its beginning. Runs that went on at the same time
are put behind each other. The database that is read may be as hostile as the bundle it comes from.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from rtrace.bundle.hostile_database import check_table, count_steps
from rtrace.errors import BundleError
from rtrace.printable import printable
from rtrace.reprozip.reading.trace_database import AccessMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rtrace.manifest.model import Run

_STEP = 1_000_000
_VALUE_LIMIT = 64 << 20
_SECOND = 1_000_000_000
_SIGNAL = 0x100
_TABLES = ("runs", "processes", "executions", "uses", "paths", "facts", "results", "environments", "connections")
_SCHEMA = """
CREATE TABLE processes(
  id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL, parent INTEGER, timestamp INTEGER NOT NULL,
  is_thread BOOLEAN NOT NULL, exitcode INTEGER);
CREATE INDEX proc_parent_idx ON processes(parent);
CREATE TABLE opened_files(
  id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL, name TEXT NOT NULL, timestamp INTEGER NOT NULL,
  mode INTEGER NOT NULL, is_directory BOOLEAN NOT NULL, process INTEGER NOT NULL);
CREATE INDEX open_proc_idx ON opened_files(process);
CREATE TABLE executed_files(
  id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, run_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
  process INTEGER NOT NULL, argv TEXT NOT NULL, envp TEXT NOT NULL, workingdir TEXT NOT NULL);
CREATE INDEX exec_proc_idx ON executed_files(process);
CREATE TABLE connections(
  id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, process INTEGER NOT NULL,
  inbound INTEGER NOT NULL, family TEXT, protocol TEXT, address TEXT);
"""
_INSERT_PROCESS = "INSERT INTO processes VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_OPENED = "INSERT INTO opened_files VALUES (NULL, ?, ?, ?, ?, ?, ?)"
_INSERT_EXECUTED = (
    "INSERT INTO executed_files(run_id, name, timestamp, process, argv, envp, workingdir) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_WORK = """
CREATE TEMP TABLE wanted(run INTEGER PRIMARY KEY, position INTEGER, base INTEGER);
CREATE TEMP TABLE begun(process INTEGER PRIMARY KEY, number INTEGER, time INTEGER);
"""
_FLAGS = (
    (1 | 16 | 64, AccessMode.READ),
    (2 | 4 | 8 | 1024, AccessMode.WRITE),
)
"""Flags of ``uses.use`` as FORMAT.md has them (READ, LIST, EXECUTE; WRITE, TRUNCATE, CREATE, APPEND), and what they are
to ReproZip. What is left (LOOKUP, METADATA, REMOVE) was no more than asked for, to a program that knows no more."""
_SOCKET = 512
_MOMENT = "max(wanted.base + {table}.time, begun.time + 1)"
_JOINED = "{table} JOIN wanted ON wanted.run = {table}.run JOIN begun ON begun.process = {table}.process"


def write_trace(own: Path, theirs: Path, runs: Sequence[Run]) -> str | None:
    """Write the database of these runs to a new file; give the reason if no more than their beginning is in it."""
    try:
        with closing(sqlite3.connect(theirs)) as target, closing(_open(own)) as source:
            _prepare(target)
            _convert(source, target, runs)
            target.commit()
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
        theirs.unlink(missing_ok=True)
        try:
            _write_beginnings(theirs, runs)
        except sqlite3.Error as trouble:
            raise BundleError(f"cannot write the trace for ReproZip: {trouble}; free some space") from None
        return printable(str(error).encode("utf-8", "backslashreplace"))
    return None


def _write_beginnings(theirs: Path, runs: Sequence[Run]) -> None:
    """Write the least that ReproZip's readers do with: how each run began."""
    with closing(sqlite3.connect(theirs)) as target:
        _prepare(target)
        beginnings = [_begin(run, position, position + 1, position * _SECOND) for position, run in enumerate(runs)]
        target.executemany(_INSERT_PROCESS, (beginning.process for beginning in beginnings))
        target.executemany(_INSERT_OPENED, (beginning.opened for beginning in beginnings))
        target.executemany(_INSERT_EXECUTED, (beginning.executed for beginning in beginnings))
        target.commit()


def _open(path: Path) -> sqlite3.Connection:
    """Open rtrace's database, whoever wrote it: only tables are asked, and none for ever. Raises sqlite3.Error."""
    steps = iter(range(count_steps(path)))
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        connection.set_progress_handler(lambda: next(steps, None) is None, _STEP)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = FILE")
        if sys.version_info >= (3, 11):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_LIMIT)
        for table in _TABLES:
            check_table(connection, table)
        connection.executescript(_WORK)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(target: sqlite3.Connection) -> None:
    """Make the tables; a file that is discarded when anything fails needs no journal."""
    target.execute("PRAGMA page_size = 4096")
    target.execute("PRAGMA journal_mode = OFF")
    target.execute("PRAGMA synchronous = OFF")
    target.executescript(_SCHEMA)


def _convert(source: sqlite3.Connection, target: sqlite3.Connection, runs: Sequence[Run]) -> None:
    bases = _order_runs(source, runs)
    beginnings = _convert_processes(source, target, runs, bases)
    by_run = itemgetter(0)
    opened = merge(_opened(source), (beginning.opened for beginning in beginnings), key=by_run)
    executed = merge(_executed(source), (beginning.executed for beginning in beginnings), key=by_run)
    target.executemany(_INSERT_OPENED, opened)
    target.executemany(_INSERT_EXECUTED, executed)
    target.executemany("INSERT INTO connections VALUES (NULL, ?, ?, ?, ?, ?, NULL, ?)", _connections(source))


def _order_runs(source: sqlite3.Connection, runs: Sequence[Run]) -> list[int]:
    """Return the time at which each run began, in nanoseconds since the Epoch: after the end of the one before."""
    numbers = dict(source.execute("SELECT name, id FROM runs"))
    ends: dict[int, int] = {}
    for table, column in (("processes", "started"), ("uses", "time"), ("executions", "time"), ("connections", "time")):
        for run, end in source.execute(f"SELECT run, max({column}) FROM {table} GROUP BY run"):  # noqa: S608
            ends[run] = max(ends.get(run, 0), int(end))
    bases: list[int] = []
    free = 0
    for position, run in enumerate(runs):
        number = numbers.get(run.id)
        bases.append(max(free, int((run.started or 0) * _SECOND)))
        # A process that begins in the same nanosecond as its parent's parent is put off by one for each.
        processes = source.execute("SELECT count(*) FROM processes WHERE run = ?", (number,)).fetchone()[0]
        free = bases[-1] + ends.get(number or 0, 0) + processes + 2
        if number is not None:
            source.execute("INSERT INTO wanted VALUES (?, ?, ?)", (number, position, bases[-1]))
    return bases


def _convert_processes(
    source: sqlite3.Connection, target: sqlite3.Connection, runs: Sequence[Run], bases: Sequence[int]
) -> list[_Beginning]:
    """Write the processes with numbers of their own; the first of a run is its only one without a parent.

    Gives the beginnings of the runs without a process, in their order; a killed tracer may leave such a one.
    """
    beginnings: list[_Beginning] = []
    rows = source.execute(
        "SELECT position, processes.id, parent, base + started, is_thread, exit_code, signal"
        " FROM processes JOIN wanted ON wanted.run = processes.run ORDER BY position, started, processes.id"
    )
    number = 0
    first = 0
    done = -1
    time = 0
    for position, process, parent, started, is_thread, exit_code, signal in rows:
        while done < position:
            done += 1
            if done < position:
                number += 1
                beginnings.append(_begin(runs[done], done, number, bases[done]))
                target.execute(_INSERT_PROCESS, beginnings[-1].process)
            else:
                first = number + 1
                time = bases[position]
        number += 1
        time = max(time + (number != first), started)
        source.execute("INSERT INTO begun VALUES (?, ?, ?)", (process, number, time))
        known = source.execute("SELECT number FROM begun WHERE process = ?", (parent,)).fetchone()
        above = known[0] if known is not None and first <= known[0] < number else first
        code = exit_code if signal is None else _SIGNAL | signal
        row = (number, position, None if number == first else above, time, bool(is_thread and number != first), code)
        target.execute(_INSERT_PROCESS, row)
    for position in range(done + 1, len(runs)):
        number += 1
        beginnings.append(_begin(runs[position], position, number, bases[position]))
        target.execute(_INSERT_PROCESS, beginnings[-1].process)
    return beginnings


class _Beginning(NamedTuple):
    """The rows of a run that is known by its beginning alone."""

    process: tuple[Any, ...]
    opened: tuple[Any, ...]
    executed: tuple[Any, ...]


def _begin(run: Run, position: int, number: int, time: int) -> _Beginning:
    """Make the rows of a run that is known by its beginning alone."""
    code = run.exit_code if run.signal is None else _SIGNAL | run.signal
    workingdir = _text(run.workingdir)
    environment = _text(b"".join(name + b"=" + value + b"\0" for name, value in run.environ if value is not None))
    argv = _text(b"".join(item + b"\0" for item in run.argv))
    return _Beginning(
        process=(number, position, None, time, False, code),
        opened=(position, workingdir, time + 1, int(AccessMode.WORKING_DIRECTORY), True, number),
        executed=(position, _text(run.program), time + 1, number, argv, environment, workingdir),
    )


def _opened(source: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield what was used how, and in which directory a program was executed, in the order of time."""
    uses, executions = (_JOINED.format(table=table) for table in ("uses", "executions"))
    rows = source.execute(
        f"SELECT position, {_MOMENT.format(table='uses')} AS moment, uses.id, number, CAST(paths.path AS BLOB), use,"  # noqa: S608
        f" coalesce(facts.type, results.type) FROM {uses} JOIN paths ON paths.id = uses.path"
        " LEFT JOIN facts ON facts.run = uses.run AND facts.path = uses.path"
        " LEFT JOIN results ON results.run = uses.run AND results.path = uses.path"
        f" UNION ALL SELECT position, {_MOMENT.format(table='executions')}, -1, number, CAST(workingdir AS BLOB), NULL,"
        f" 'directory' FROM {executions} ORDER BY position, moment, 3, number"
    )
    for position, moment, _, number, path, use, kind in rows:
        mode = AccessMode.WORKING_DIRECTORY if use is None else _mode(use, kind)
        yield position, _text(path), moment, int(mode), kind == "directory", number


def _mode(use: int, kind: str | None) -> int:
    """Return the bits that ReproZip has for a way of using a path."""
    if use & _SOCKET:
        return AccessMode.SOCKET | AccessMode.WRITE
    mode = 0
    for flags, bit in _FLAGS:
        if use & flags:
            mode |= bit
    return (mode or AccessMode.STAT) | (AccessMode.LINK if kind == "symlink" else 0)


def _executed(source: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield every program that was executed, in the order of time."""
    rows = source.execute(
        f"SELECT CAST(paths.path AS BLOB), position, {_MOMENT.format(table='executions')} AS moment, number,"  # noqa: S608
        f" CAST(argv AS BLOB), CAST(content AS BLOB), CAST(workingdir AS BLOB)"
        f" FROM {_JOINED.format(table='executions')} JOIN paths ON paths.id = executions.path"
        " JOIN environments ON environments.id = executions.environment ORDER BY position, moment, executions.id"
    )
    for path, position, moment, number, argv, environment, workingdir in rows:
        yield position, _text(path), moment, number, _text(argv), _text(environment), _text(workingdir)


def _connections(source: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield every connection; ReproZip calls one inbound when this side waited for it."""
    rows = source.execute(
        f"SELECT position, {_MOMENT.format(table='connections')} AS moment, number, call <> 'connect', family,"  # noqa: S608
        f" CASE WHEN port IS NULL THEN address ELSE address || ':' || port END"
        f" FROM {_JOINED.format(table='connections')} ORDER BY position, moment, connections.id"
    )
    yield from rows


def _text(value: bytes) -> str:
    """Return bytes as a string: readers of such a database expect nothing else."""
    return value.decode("utf-8", "replace")
