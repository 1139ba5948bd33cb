"""Rows of the trace database as values, by the names of their columns, and the statements that put them there.

See the tables in `trace/schema.py`. Short and frequent rows are plain tuples.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class RunRow(NamedTuple):
    """What is known of a run before it begins; its end is filled in later. Strings of bytes end in a NUL each."""

    id: int
    name: str
    argv: bytes
    environ: bytes
    binary: bytes
    workingdir: bytes
    uid: int
    gid: int
    groups: str
    umask: int
    hostname: str
    architecture: str
    sysname: str
    release: str
    distribution: str
    distribution_version: str
    engine: str
    started: float


class ResultRow(NamedTuple):
    """What was at a path when the run had ended; nothing if it has no type."""

    run: int
    path: int
    type: str | None = None
    mode: int | None = None
    size: int | None = None
    mtime_ns: int | None = None
    device: int | None = None
    inode: int | None = None
    sha256: str | None = None
    target: bytes | None = None


class ProcessRow(NamedTuple):
    """A process or thread at its birth."""

    id: int
    run: int
    parent: int | None
    pid: int
    is_thread: int
    started: int


class ExecutionRow(NamedTuple):
    """A program that a process began."""

    run: int
    process: int
    time: int
    path: int
    argv: bytes
    environment: int
    workingdir: bytes


def insert(table: str, columns: Iterable[str], *, otherwise: str = "") -> str:
    """Return the statement that adds a row; ``otherwise`` says what is done with one that is there already."""
    names = tuple(columns)
    return f"INSERT {otherwise} INTO {table}({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - names of ours


FACTS = (
    *("run", "path", "time", "type", "mode", "uid", "gid", "size", "mtime_ns", "device", "inode", "links", "target"),
    *("ctime_ns", "blocks"),
)
"""What was at a path when the run first touched it; nothing if it has no type. There are many such rows: a plain tuple
takes 1 µs less to make, and another to insert, than one with names."""

INSERT_RUN = insert("runs", RunRow._fields)
STATEMENTS = {
    "paths": insert("paths", ("id", "path")),
    "facts": insert("facts", FACTS),
    "snapshots": insert("snapshots", ("run", "path", "file", "problem"), otherwise="OR IGNORE"),
    "attributes": insert("attributes", ("run", "path", "name", "value"), otherwise="OR IGNORE"),
    "environments": insert("environments", ("id", "content")),
    "processes": insert("processes", ProcessRow._fields),
    "ends": "UPDATE processes SET ended = ?, exit_code = ?, signal = ?, user_time = ?, system_time = ?,"
    " peak_memory = ?, bytes_read = ?, bytes_written = ? WHERE id = ?",
    "executions": insert("executions", ExecutionRow._fields),
    "uses": insert("uses", ("run", "process", "time", "path", "use")),
    "moves": insert("moves", ("run", "process", "time", "kind", "source", "destination")),
    "connections": insert("connections", ("run", "process", "time", "call", "family", "address", "port")),
    "results": insert("results", ResultRow._fields),
    "notices": insert("notices", ("run", "kind", "what", "advice")),
    "sums": "UPDATE notices SET what = ? WHERE run = ? AND kind = ? AND what = ?",
}
"""What the journal collects: the statement of each kind of row."""
