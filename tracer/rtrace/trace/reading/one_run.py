"""One run of a trace by itself: what it found, which processes it had, what it executed, where its streams are."""

import sqlite3
from typing import NamedTuple

from rtrace.trace.reading.runs import split_items
from rtrace.trace.schema import Use

_CONTENT = int(Use.READ | Use.WRITE | Use.EXECUTE)
_REPLACING = int(Use.TRUNCATE | Use.CREATE | Use.REMOVE)
_READ = int(Use.READ)


class FoundFile(NamedTuple):
    """A file that was there when a run first used it, or one that the run made: then ``type`` is None.

    ``use`` is every flag of every use, ``snapshot`` names the copy of what the run changed, ``problem`` says why there
    is no copy. ``own``: the run read it only after it had replaced what was there.
    """

    path: bytes
    type: str | None
    size: int | None
    mtime_ns: int | None
    inode: int | None
    snapshot: str | None
    problem: str | None
    use: int
    own: bool


class TracedProcess(NamedTuple):
    """A process, no thread: times in nanoseconds after the run began, sizes in bytes; None where it is not known."""

    id: int
    parent: int | None
    pid: int
    started: int
    ended: int | None
    exit_code: int | None
    signal: int | None
    user_time: int | None
    system_time: int | None
    peak_memory: int | None
    bytes_read: int | None
    bytes_written: int | None


class TracedExecution(NamedTuple):
    """A program that a process began."""

    process: int
    path: bytes
    argv: tuple[bytes, ...]
    workingdir: bytes


class TracedStream(NamedTuple):
    """A standard stream. ``file`` names what was kept of it, the first ``kept`` bytes; else it is at ``path``."""

    descriptor: int
    kind: str
    joined: bool
    path: bytes | None
    begin: int
    end: int | None
    file: str | None
    kept: int | None
    size: int | None
    sha256: str | None


def read_found(connection: sqlite3.Connection, run: int) -> list[FoundFile]:
    """Return the files that a run used, in the order in which it met them; folders, links and devices are no files."""
    uses: dict[int, int] = {}
    own: set[int] = set()
    rows = connection.execute(
        "SELECT path, use FROM uses WHERE run = ? AND use & ? ORDER BY id", (run, _CONTENT | _REPLACING)
    )
    for path, use in rows:
        former = uses.get(path, 0)
        if use & _READ and former & _REPLACING and not former & _READ:
            own.add(path)
        uses[path] = former | use
    facts = connection.execute(
        "SELECT facts.path, paths.path, type, size, mtime_ns, inode, file, problem FROM facts"
        " JOIN paths ON paths.id = facts.path"
        " LEFT JOIN snapshots ON snapshots.run = facts.run AND snapshots.path = facts.path"
        " WHERE facts.run = ? AND (type = 'file' OR type IS NULL) ORDER BY time",
        (run,),
    )
    return [
        FoundFile(path, kind, size, mtime_ns, inode, file, problem, uses[number], number in own)
        for number, path, kind, size, mtime_ns, inode, file, problem in facts
        if number in uses
    ]


def read_processes(connection: sqlite3.Connection, run: int) -> list[TracedProcess]:
    """Return the processes of a run in the order of their births; a trace of an older version says less of them."""
    known = {row[1] for row in connection.execute("PRAGMA table_info(processes)")}
    columns = ", ".join(name if name in known else f"NULL AS {name}" for name in TracedProcess._fields)
    rows = connection.execute(
        f"SELECT {columns} FROM processes WHERE run = ? AND NOT is_thread ORDER BY id",  # noqa: S608 - names of ours
        (run,),
    )
    return list(map(TracedProcess._make, rows))


def read_executions(connection: sqlite3.Connection, run: int) -> list[TracedExecution]:
    """Return what a run executed, in order."""
    rows = connection.execute(
        "SELECT process, paths.path, argv, workingdir FROM executions JOIN paths ON paths.id = executions.path"
        " WHERE run = ? ORDER BY executions.id",
        (run,),
    )
    return [TracedExecution(process, path, tuple(split_items(argv)), folder) for process, path, argv, folder in rows]


def read_standard_streams(connection: sqlite3.Connection, run: int) -> dict[int, TracedStream]:
    """Return the standard streams of a run by their numbers."""
    rows = connection.execute(
        'SELECT descriptor, kind, joined, path, ifnull("begin", 0), "end", file, kept, size, sha256 FROM streams'
        " WHERE run = ? AND descriptor <= 2",
        (run,),
    )
    return {row[0]: TracedStream(row[0], row[1], bool(row[2]), *row[3:]) for row in rows}
