"""The world before the experiment: what was there, and what was done with it."""

from __future__ import annotations

from functools import reduce
from operator import itemgetter, or_
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

from rtrace.trace.reading.changes import read_moves
from rtrace.trace.treatment import Treatment, classify, is_unread, most_needing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Container, Iterable, Mapping


class Before(NamedTuple):
    """What was at a path before the experiment, and what was done with the path.

    ``type`` is one of the words of ``facts.type``, None when nothing was there. ``use`` is every flag of every use in
    any run, 0 for a path that was only seen in the list of its directory. ``snapshot`` names the copy in the folder of
    snapshots that holds the content, ``problem`` says why there is no copy although the file was changed. ``treatment``
    is that of the run which needs most of it. ``blocks`` is the room it took on the disk, in 512 bytes, None where
    nobody noted it. (A tuple, not a dataclass: a trace can have a million of these.)
    """

    path: bytes
    run: int
    time: int
    type: str | None
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    device: int
    inode: int
    links: int
    target: bytes | None
    ctime_ns: int | None
    use: int
    snapshot: str | None
    problem: str | None
    treatment: Treatment = Treatment.LISTED
    blocks: int | None = None


def read_world(connection: sqlite3.Connection) -> list[Before]:
    """Return what was there before the experiment, for every path of the trace, sorted by path.

    The earliest run that met a path tells; among runs that went on at the same time, the one that met it first. A
    snapshot of a later run serves as well when that run found the file as the earliest one had.
    """
    moved = {path for move in read_moves(connection) for path in move.moved}
    left: dict[int, dict[int, bool]] = {}
    for run, number, kind in connection.execute("SELECT run, path, type FROM results"):
        left.setdefault(number, {})[run] = kind is not None
    copies = {
        (run, number): (file, problem)
        for run, number, file, problem in connection.execute("SELECT run, path, file, problem FROM snapshots")
    }
    nothing = (None, None)
    uses = _Uses(connection)
    sums: dict[tuple[object, ...], tuple[int, Treatment]] = {}  # a million paths are used in a hundred ways
    found: list[Before] = []
    previous = None
    overlapping = _have_overlapped(connection)
    for (
        number, path, run, time, type_, mode, uid, gid, size, mtime_ns, device, inode, links, target, ctime_ns,
        blocks,
    ) in _read_facts(connection, overlapping=overlapping):  # fmt: skip
        file, problem = copies.get((run, number), nothing) if copies else nothing
        if number == previous:
            first = found[-1]
            kept = first.snapshot is not None or first.problem is not None
            if not kept and (first.type, first.size, first.mtime_ns) == (type_, size, mtime_ns):
                found[-1] = first._replace(snapshot=file, problem=problem)
            continue
        previous = number
        ways = uses.of(number)
        has_moved = bool(moved) and is_below(path, moved)
        after = left.get(number)
        key = (type_ is None, ways or run, has_moved, None if after is None else tuple(after.items()))
        summed = sums.get(key)
        if summed is None:
            summed = sums[key] = _sum_up(
                type_, ways or ((run, 0),), after or {}, moved=has_moved, overlapping=overlapping
            )
        kind = type_ and intern(type_)  # one string for all, and not one for each of a million paths
        found.append(
            Before(
                path, run, time, kind, mode, uid, gid, size, mtime_ns, device, inode, links, target, ctime_ns,
                summed[0], file, problem, summed[1], blocks,
            )
        )  # fmt: skip
    found.sort(key=itemgetter(0))
    return found


def _have_overlapped(connection: sqlite3.Connection) -> bool:
    """Whether a run began while an earlier one went on."""
    (overlapping,) = connection.execute(
        "SELECT EXISTS"
        " (SELECT 1 FROM runs AS one JOIN runs AS other ON other.id > one.id AND other.started < one.finished)"
    ).fetchone()
    return bool(overlapping)


def _read_facts(connection: sqlite3.Connection, *, overlapping: bool) -> sqlite3.Cursor:
    """Return what was met, each path's together, by the number of the path; first what a run met first."""
    (several,) = connection.execute("SELECT count(*) > 1 FROM runs").fetchone()
    noted = {row[1] for row in connection.execute("PRAGMA table_info(facts)")}
    blocks = "blocks" if "blocks" in noted else "NULL"  # traces of older versions have none
    begun = "facts.path, (SELECT started FROM runs WHERE id = facts.run) + time / 1e9, run"
    # The facts of a single run lie in this order, and need not be sorted.
    order = begun if overlapping else "facts.path, run" if several else "run, facts.path"
    return connection.execute(
        "SELECT facts.path, paths.path, run, time, type, mode, uid, gid, size, mtime_ns, device, inode, links, target,"  # noqa: S608
        f" ctime_ns, {blocks} FROM facts JOIN paths ON paths.id = facts.path ORDER BY {order}"
    )


def _sum_up(
    before: str | None, ways: Iterable[tuple[int, int]], left: Mapping[int, bool], *, moved: bool, overlapping: bool
) -> tuple[int, Treatment]:
    """Return all uses of a path, of (run, use), and what the run did with it that needs most of it.

    ``ways`` are in the order of the runs. A run that removes or replaces unread what was there, and during which no
    other one goes on, is the last to which it matters (``overlapping``: others may).
    """
    runs: dict[int, list[int]] = {}
    every = 0
    for run, use in ways:
        runs.setdefault(run, []).append(use)
        every |= use
    treatments = []
    for run, uses in runs.items():
        treatments.append(classify(before, uses, left=left.get(run), moved=moved))
        if not overlapping and is_unread(reduce(or_, uses)):
            break
    return every, most_needing(treatments)


class _Uses:
    """The uses of one path after the other, in the order of their numbers: all at once would take too much memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._rows = connection.execute("SELECT DISTINCT path, run, use FROM uses ORDER BY path, run, use")
        self._next = next(self._rows, None)

    def of(self, number: int) -> tuple[tuple[int, int], ...]:
        """Return the uses of a path, of (run, use); the numbers asked for must come in order."""
        row = self._next
        while row is not None and row[0] < number:
            row = next(self._rows, None)
        ways: tuple[tuple[int, int], ...] = ()
        while row is not None and row[0] == number:
            ways += (row[1:],)
            row = next(self._rows, None)
        self._next = row
        return ways


def is_below(path: bytes, places: Container[bytes]) -> bool:
    """Whether a path or a folder above it is one of some places."""
    while path:
        if path in places:
            return True
        path = path.rpartition(b"/")[0]
    return False
