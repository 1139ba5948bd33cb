"""Which process of a trace belonged to which rank, by the variables that its launcher gave it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.trace.parallel.launchers import Rank, find_rank
from rtrace.trace.parallel.signs import may_name_rank
from rtrace.trace.reading.runs import split_items

if TYPE_CHECKING:
    import sqlite3

_SPECIAL = re.compile(rb"[*?[\\]")
"""Bytes that mean something in a pattern."""
_DEEP = 2
"""How many slashes a folder of a launcher's own has at least: ``/tmp`` is not one."""


class RankedProcess(NamedTuple):
    """The first process of a rank in a run: all that it started belongs to the rank as well.

    ``exit_code`` and ``signal`` are both None where its end was not seen.
    """

    rank: Rank
    run: int
    process: int
    host: str
    exit_code: int | None
    signal: int | None


def read_process_ranks(connection: sqlite3.Connection) -> dict[int, Rank]:
    """Return the ranks of processes by the ids of these; the launcher's own processes are not among them.

    A process has the rank of its own last execution, and without one that of its parent.
    """
    by_environment: dict[int, Rank] = {}
    for number, content in connection.execute("SELECT id, content FROM environments"):
        rank = find_rank(_parse(content)) if may_name_rank(content) else None
        if rank is not None:
            by_environment[number] = rank
    if not by_environment:
        return {}
    own: dict[int, Rank | None] = {}
    for process, environment in connection.execute("SELECT process, environment FROM executions ORDER BY id"):
        own[process] = by_environment.get(environment)
    ranks: dict[int, Rank] = {}
    for process, parent in connection.execute("SELECT id, parent FROM processes ORDER BY id"):  # parents come first
        rank = own[process] if process in own else ranks.get(parent)
        if rank is not None:
            ranks[process] = rank
    return ranks


def read_ranks(connection: sqlite3.Connection) -> tuple[RankedProcess, ...]:
    """Return the ranks of all runs with their first processes, sorted by run and number."""
    ranks = read_process_ranks(connection)
    if not ranks:
        return ()
    found: dict[tuple[int, int], RankedProcess] = {}
    for process, run, parent, exit_code, signal, host in connection.execute(
        "SELECT processes.id, run, parent, processes.exit_code, processes.signal, hostname"
        " FROM processes JOIN runs ON runs.id = processes.run WHERE NOT is_thread ORDER BY processes.id"
    ):
        rank = ranks.get(process)
        if rank is not None and ranks.get(parent) != rank:
            ranked = RankedProcess(rank, run, process, host, exit_code, signal)
            found.setdefault((run, rank.number), ranked)
    return tuple(found[key] for key in sorted(found))


def read_run_ranks(connection: sqlite3.Connection) -> dict[int, Rank]:
    """Return the ranks that runs were, by the numbers of the runs: of those that a launcher started each."""
    found = {}
    for run, name, content in connection.execute("SELECT id, name, environ FROM runs"):
        rank = find_rank(_parse(content)) if may_name_rank(content) else None
        if rank is not None and name == rank.name:
            found[run] = rank
    return found


def read_scratch(connection: sqlite3.Connection) -> tuple[bytes, ...]:
    """Return patterns of what launchers made to speak with the ranks of this trace: it goes when they end."""
    folders = dict.fromkeys(rank.scratch for rank in read_run_ranks(connection).values())
    deep = (folder.rstrip(b"/") for folder in folders if folder.startswith(b"/"))
    return tuple(_SPECIAL.sub(rb"\\\g<0>", folder) for folder in deep if folder.count(b"/") >= _DEEP)


def _parse(content: bytes) -> dict[bytes, bytes]:
    """Return the variables of an environment by their names."""
    return {name: value for name, mark, value in (item.partition(b"=") for item in split_items(content)) if mark}
