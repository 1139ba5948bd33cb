"""The runs of a trace, and what was noted of each."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from rtrace.manifest.model import Notice, Run
from rtrace.trace.reading.streams import read_descriptors, read_streams

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

_MODULES = b"LOADEDMODULES="


class Count(NamedTuple):
    """How many processes a run had, threads apart, and how many paths it used."""

    processes: int
    paths: int


def read_runs(connection: sqlite3.Connection) -> tuple[Run, ...]:
    """Return the runs in their order."""
    rows = connection.execute(
        "SELECT name, argv, binary, workingdir, environ, uid, gid, groups, umask, hostname, architecture, sysname,"
        " release, distribution, distribution_version, started, finished, exit_code, signal, id FROM runs ORDER BY id"
    )
    inputs, outputs = read_streams(connection)
    descriptors = read_descriptors(connection)
    return tuple(
        Run(
            id=name,
            argv=tuple(split_items(argv)),
            binary=binary,
            workingdir=workingdir,
            environ=tuple(map(_variable, split_items(environ))),
            uid=uid,
            gid=gid,
            groups=tuple(int(group) for group in groups.strip("[]").replace(",", " ").split()),
            umask=umask,
            hostname=hostname,
            architecture=architecture,
            system=(sysname, release),
            distribution=(distribution, version),
            started=started,
            finished=finished,
            exit_code=exit_code,
            signal=signal,
            stdin=inputs.get(number),
            stdout=outputs.get((number, 1)),
            stderr=outputs.get((number, 2)),
            descriptors=tuple(descriptors.get(number, ())),
        )
        for (
            name, argv, binary, workingdir, environ, uid, gid, groups, umask, hostname, architecture, sysname,
            release, distribution, version, started, finished, exit_code, signal, number,
        ) in rows
    )  # fmt: skip


def read_run_starts(connection: sqlite3.Connection) -> dict[int, float]:
    """Return when each run began, in seconds since the epoch, by the runs' numbers."""
    return dict(connection.execute("SELECT id, started FROM runs"))


def count_run(connection: sqlite3.Connection, run: int) -> Count:
    """Return how much a run did."""
    (processes,) = connection.execute(
        "SELECT count(*) FROM processes WHERE run = ? AND NOT is_thread", (run,)
    ).fetchone()
    (paths,) = connection.execute("SELECT count(DISTINCT path) FROM uses WHERE run = ?", (run,)).fetchone()
    return Count(processes, paths)


def read_run_names(connection: sqlite3.Connection) -> dict[int, str]:
    """Return the runs' names by their numbers."""
    return dict(connection.execute("SELECT id, name FROM runs ORDER BY id"))


def call_runs(database: Path, names: Mapping[int, str]) -> None:
    """Rename the runs of a database, by number; of two with one name, the one that is not named here loses it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        if names.items() <= read_run_names(connection).items():
            return
        former = read_run_names(connection)
        connection.executemany("UPDATE runs SET name = ? WHERE id = ?", ((f"#{number}", number) for number in former))
        rest = {number: name for number, name in former.items() if number not in names}
        taken = set(names.values())
        whole = dict(names) | {number: f"#{number}" if name in taken else name for number, name in rest.items()}
        connection.executemany("UPDATE runs SET name = ? WHERE id = ?", ((whole[number], number) for number in whole))


def read_modules(connection: sqlite3.Connection) -> frozenset[bytes]:
    """Return the environment modules that were loaded for a run or a program in it, as ``name/version``; module(1)."""
    found: set[bytes] = set()
    for (environ,) in connection.execute(
        "SELECT environ FROM runs WHERE instr(environ, :mark)"
        " UNION SELECT content FROM environments WHERE instr(content, :mark)",
        {"mark": _MODULES},
    ):
        for item in split_items(environ):
            if item.startswith(_MODULES):
                found.update(item[len(_MODULES) :].split(b":"))
    return frozenset(found - {b""})


def read_pids(connection: sqlite3.Connection, run: int) -> set[int]:
    """Return the ids of a run's processes."""
    return {pid for (pid,) in connection.execute("SELECT DISTINCT pid FROM processes WHERE run = ?", (run,))}


def read_notices(connection: sqlite3.Connection, runs: Container[str] | None = None) -> tuple[Notice, ...]:
    """Return what could not be captured faithfully of these runs, by their names, or of all; each thing once."""
    names = read_run_names(connection)
    rows = connection.execute("SELECT run, kind, what, advice FROM notices ORDER BY id")
    return tuple(dict.fromkeys(Notice(*row) for run, *row in rows if runs is None or names.get(run) in runs))


def split_items(blob: bytes) -> list[bytes]:
    """Return the items of a list in which a NUL follows each."""
    return blob.split(b"\0")[:-1]


def _variable(item: bytes) -> tuple[bytes, bytes | None]:
    name, equals, value = item.partition(b"=")
    return (name, value if equals else None)
