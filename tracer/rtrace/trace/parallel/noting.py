"""What is to be told of ranks that were traced apart: those that are not there, and what a replay of them lacks."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from rtrace.manifest.incompleteness import LAUNCHER, UNFINISHED
from rtrace.printable import count_more
from rtrace.trace.parallel.processes import read_run_ranks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from rtrace.trace.parallel.launchers import Rank

_SHOWN = 8
_MPI = (
    "SELECT DISTINCT uses.run FROM uses JOIN paths ON paths.id = uses.path"
    " WHERE CAST(paths.path AS TEXT) GLOB '*/libmpi*.so*' OR CAST(paths.path AS TEXT) GLOB '*/libpmi*.so*'"
)
"""The runs that loaded a library of MPI, or of what launchers of MPI are spoken to with."""
_ADDRESS = re.compile(rb"(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})\b")
"""Where a launcher listens, as its variables have it."""
_UNNAMED = re.compile(r"@[0-9a-f]{5}")
"""The name that the kernel gives to a socket that has none, see unix(7)."""
_COUNTED = re.compile(r" \(\d+ times\)$")
_GIVEN = re.compile(r"descriptors? [\d, ]+(?:and \d+ )?of the run (?:is|are each) a (?:socket|pipe)")


def note_ranks(connection: sqlite3.Connection) -> None:
    """Note of each job which ranks are not in the trace, and whether a replay, which has no launcher, can do them."""
    jobs: dict[tuple[str, str, int], dict[int, Rank]] = {}
    for run, rank in read_run_ranks(connection).items():
        jobs.setdefault((rank.launcher, rank.job, rank.size), {})[run] = rank
    speaking = {run for (run,) in connection.execute(_MPI)} if jobs else set()
    for (launcher, _, size), ranks in jobs.items():
        first = min(ranks)
        present = {rank.number for rank in ranks.values()}
        if len(present) < size:
            first_missing = list(itertools.islice((n for n in range(size) if n not in present), _SHOWN))
            names = ", ".join(map(str, first_missing)) + count_more(size - len(present) - len(first_missing))
            advice = "their tracers were killed or never began; join all again when their traces are there"
            _note(
                connection, first, UNFINISHED, f"not all of the {size} ranks are in the trace; missing: {names}", advice
            )
        if size > 1 and not speaking.isdisjoint(ranks):
            told = f"the {size} ranks spoke with each other through {launcher}, whose launcher is not in the trace"
            advice = (
                "a replay runs one rank after the other without it, and fails; where one host is enough, trace the"
                " launcher (`rtrace trace mpirun ...`), and all is replayed"
            )
            _note(connection, first, LAUNCHER, told, advice)
            _forget_ways(connection, ranks)


def _forget_ways(connection: sqlite3.Connection, ranks: Iterable[int]) -> None:
    """Remove the notices on how the ranks of a job reached each other and their launcher: one notice tells that."""
    known: set[str] = set()
    for run in ranks:
        (content,) = connection.execute("SELECT environ FROM runs WHERE id = ?", (run,)).fetchone()
        known.update(f"{host.decode()} port {int(port)}" for host, port in _ADDRESS.findall(content))
        for address, port in connection.execute(
            "SELECT address, port FROM connections WHERE run = ? AND call = 'bind'", (run,)
        ):
            known.add(address if port is None else f"{address} port {port}")
    for run in ranks:
        for number, kind, what in connection.execute(
            "SELECT id, kind, what FROM notices WHERE run = ? AND kind IN ('connection', 'descriptor')", (run,)
        ).fetchall():
            place = _COUNTED.sub("", what.partition(" connected to ")[2])
            is_own = place in known or _UNNAMED.fullmatch(place) is not None
            if is_own or (kind == "descriptor" and _GIVEN.match(what)):
                connection.execute("DELETE FROM notices WHERE id = ?", (number,))


def _note(connection: sqlite3.Connection, run: int, kind: str, what: str, advice: str) -> None:
    connection.execute("INSERT INTO notices(run, kind, what, advice) VALUES (?, ?, ?, ?)", (run, kind, what, advice))
