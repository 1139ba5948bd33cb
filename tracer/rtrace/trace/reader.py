"""Typed questions to a trace database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import reduce
from itertools import groupby
from operator import itemgetter, or_
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

from rtrace.errors import TraceError
from rtrace.manifest.model import LARGEST_DESCRIPTOR, Descriptor, Input, Notice, Output, Run
from rtrace.trace.schema import TRACE_FORMAT, Use
from rtrace.trace.treatment import Treatment, classify, is_unread, most_needing

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping
    from pathlib import Path

    from rtrace.files.xattrs import Attributes
    from rtrace.trace.directory import TraceDirectory


_WRITTEN = frozenset({"terminal", "pipe", "file", "socket"})
"""Kinds of streams of which somebody has what was written to them."""
_STANDARD_ERROR = 2
_MODULES = b"LOADEDMODULES="
_CONTENT = int(Use.READ | Use.WRITE | Use.EXECUTE)
_REPLACING = int(Use.TRUNCATE | Use.CREATE | Use.REMOVE)


class Before(NamedTuple):
    """What was at a path before the experiment, and what was done with the path.

    ``type`` is one of the words of ``facts.type``, None when nothing was there. ``use`` is every flag of every use in
    any run, 0 for a path that was only seen in the list of its directory. ``snapshot`` names the copy in the folder of
    snapshots that holds the content, ``problem`` says why there is none although the file was changed. ``treatment`` is
    that of the run which needs most of it. ``blocks`` is the room it took on the disk, in 512 bytes, None where nobody
    noted it. (A tuple, not a dataclass: a trace can have a million of these.)
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


class After(NamedTuple):
    """The state in which a run left a path; ``run`` is the run's number. ``type`` is None when nothing is there."""

    run: int
    path: bytes
    type: str | None
    mode: int | None
    size: int | None
    mtime_ns: int | None
    device: int | None
    inode: int | None
    sha256: str | None
    target: bytes | None


class Move(NamedTuple):
    """A rename or link: ``kind`` is ``rename``, ``exchange`` or ``link``."""

    run: int
    time: int
    kind: str
    source: bytes
    destination: bytes

    @property
    def moved(self) -> tuple[bytes, ...]:
        """The paths of which something was given another name."""
        return (self.source, self.destination) if self.kind == "exchange" else (self.source,)


class Copy(NamedTuple):
    """A snapshot: what a path held before a run (by its number) changed it."""

    run: int
    path: bytes
    size: int
    mtime_ns: int
    inode: int
    file: str


def open_for_reading(directory: TraceDirectory) -> sqlite3.Connection:
    """Open the database of a trace and leave its bytes alone, so that packing twice gives the same. Raises TraceError.

    A trace in pieces is read into memory. One whose tracer was killed still has a write-ahead log beside it, which
    SQLite reads along.
    """
    database = directory.database
    if not database.is_file():
        if directory.path.exists():
            raise TraceError(f"{directory.path} is not a trace directory; name another with -d")
        raise TraceError(f"{directory.path} does not exist; run `rtrace trace COMMAND` first, or name another with -d")
    from rtrace.trace.pieces import list_pieces, open_in_memory

    try:
        if list_pieces(directory.path):
            connection: sqlite3.Connection = open_in_memory(directory.path, database)
        else:
            connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    except sqlite3.Error as error:
        raise TraceError(
            f"{database} is not a trace that can be read ({error}); trace again with --overwrite"
        ) from None
    if row is None or row[0] != TRACE_FORMAT:
        connection.close()
        found = row[0] if row else "none"
        raise TraceError(f"{database} has trace format {found}; this rtrace reads format {TRACE_FORMAT}")
    return connection


def copy_database(connection: sqlite3.Connection, destination: Path) -> None:
    """Copy a database into one file of its own, whatever of it was still in a write-ahead log. Raises TraceError."""
    try:
        with closing(sqlite3.connect(destination, isolation_level=None)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:  # no space, or a limit on the size of files
        sentence = f"{destination} cannot be written ({error}); free some space, or raise a limit on the size of files"
        raise TraceError(sentence) from None


def call_runs(database: Path, names: Mapping[int, str]) -> None:
    """Give the runs of a database other names, by their numbers; a run without one loses its own to another's."""
    with closing(sqlite3.connect(database)) as connection, connection:
        if names.items() <= read_run_names(connection).items():
            return
        former = read_run_names(connection)
        connection.executemany("UPDATE runs SET name = ? WHERE id = ?", ((f"#{number}", number) for number in former))
        rest = {number: name for number, name in former.items() if number not in names}
        taken = set(names.values())
        whole = dict(names) | {number: f"#{number}" if name in taken else name for number, name in rest.items()}
        connection.executemany("UPDATE runs SET name = ? WHERE id = ?", ((whole[number], number) for number in whole))


def read_runs(connection: sqlite3.Connection) -> tuple[Run, ...]:
    """Give the runs in their order."""
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


def read_streams(connection: sqlite3.Connection) -> tuple[dict[int, Input], dict[tuple[int, int], Output]]:
    """Give the files that were standard input, by run number; and by run number and descriptor what was written.

    What was written and not kept is among the latter without size and digest: it cannot be judged.
    """
    inputs: dict[int, Input] = {}
    outputs: dict[tuple[int, int], Output] = {}
    rows = connection.execute(
        'SELECT run, descriptor, kind, path, "begin", size, sha256, rows, columns, cut, joined FROM streams'
    )
    for run, descriptor, kind, path, begin, size, sha256, height, width, cut, joined in rows:
        if descriptor == 0:
            if path is not None and kind != "null":
                inputs[run] = Input(path, begin or 0, pipe=kind == "pipe")
        elif kind in _WRITTEN or sha256 is not None or (joined and (run, 1) in outputs):
            window = None if height is None else (height, width)
            shown = "pipe" if kind == "socket" else kind  # a replay of it gets one
            outputs[run, descriptor] = Output(shown, size, sha256, window, bool(cut), bool(joined))
    return inputs, outputs


def read_descriptors(connection: sqlite3.Connection) -> dict[int, list[Descriptor]]:
    """Give, by run number, what the runs found at their descriptors besides standard streams that lead somewhere."""
    found: dict[int, list[Descriptor]] = {}
    columns = {row[1] for row in connection.execute("PRAGMA table_info(streams)")}
    access = "access" if "access" in columns else "'read'"  # traces of older versions have standard streams alone
    rows = connection.execute(
        f'SELECT run, descriptor, kind, path, "begin", joined, {access} FROM streams ORDER BY run, descriptor'  # noqa: S608
    )
    for run, number, kind, path, begin, joined, how in rows:
        descriptor = _find_descriptor(number, kind, path, begin or 0, joined, how)
        if descriptor is not None and number <= LARGEST_DESCRIPTOR:
            found.setdefault(run, []).append(descriptor)
    return found


def _find_descriptor(
    number: int, kind: str, path: bytes | None, offset: int, joined: int, access: str
) -> Descriptor | None:
    """Give what a row says of a descriptor; None for a standard stream that leads somewhere."""
    if number <= _STANDARD_ERROR:
        if kind == "closed":
            return Descriptor(number, "closed")
        unkept = number == 0 and path is None and kind not in {"terminal", "null"}
        return Descriptor(number, "null") if unkept else None
    if joined:
        return Descriptor(number, "same", same=joined - 1)
    if path is None:
        return Descriptor(number, "null")
    return Descriptor(number, "pipe" if kind == "pipe" else "file", path, offset, access)


def read_run_names(connection: sqlite3.Connection) -> dict[int, str]:
    """Give the runs' names by their numbers."""
    return dict(connection.execute("SELECT id, name FROM runs ORDER BY id"))


def read_modules(connection: sqlite3.Connection) -> frozenset[bytes]:
    """Give the environment modules that were loaded for a run or a program in it, as ``name/version``; module(1)."""
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


def split_items(blob: bytes) -> list[bytes]:
    """Take apart a list of which every item is followed by a NUL."""
    return blob.split(b"\0")[:-1]


def _variable(item: bytes) -> tuple[bytes, bytes | None]:
    name, equals, value = item.partition(b"=")
    return (name, value if equals else None)


def read_world(connection: sqlite3.Connection) -> list[Before]:
    """Give what was there before the experiment, for every path of the trace, sorted by path.

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
    """Tell whether a run began while an earlier one went on."""
    (overlapping,) = connection.execute(
        "SELECT EXISTS"
        " (SELECT 1 FROM runs AS one JOIN runs AS other ON other.id > one.id AND other.started < one.finished)"
    ).fetchone()
    return bool(overlapping)


def _read_facts(connection: sqlite3.Connection, *, overlapping: bool) -> sqlite3.Cursor:
    """Give what was met, each path's together, by the number of the path; first what a run met first."""
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
    """Give all uses of a path, of (run, use), and what the run did with it that needs most of it.

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
    """The uses of one path after the other, in the order of their numbers: all of them at once would take too much."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._rows = connection.execute("SELECT DISTINCT path, run, use FROM uses ORDER BY path, run, use")
        self._next = next(self._rows, None)

    def of(self, number: int) -> tuple[tuple[int, int], ...]:
        """Give the uses of a path, of (run, use); the numbers asked for must come in order."""
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
    """Tell whether a path or a folder above it is one of some places."""
    while path:
        if path in places:
            return True
        path = path.rpartition(b"/")[0]
    return False


def read_attributes(connection: sqlite3.Connection) -> dict[bytes, Attributes]:
    """Give the extended attributes that files had before the first run that changed them or the file."""
    rows = connection.execute(
        "SELECT paths.path, run, name, value FROM attributes JOIN paths ON paths.id = attributes.path"
        " ORDER BY attributes.path, run, name"
    )
    found: dict[bytes, Attributes] = {}
    for path, group in groupby(rows, itemgetter(0)):
        first, *others = group
        found[path] = tuple((name, value) for _, run, name, value in others if run == first[1])
    return found


def read_moves(connection: sqlite3.Connection) -> list[Move]:
    """Give every rename and link, in their order."""
    rows = connection.execute(
        "SELECT run, time, kind, sources.path, destinations.path FROM moves"
        " JOIN paths AS sources ON sources.id = moves.source"
        " JOIN paths AS destinations ON destinations.id = moves.destination ORDER BY moves.id"
    )
    return list(map(Move._make, rows))


def read_uses(connection: sqlite3.Connection, paths: Collection[bytes]) -> dict[tuple[int, bytes], int]:
    """Give every flag of every use of some paths in a run, by run number and path."""
    uses: dict[tuple[int, bytes], int] = {}
    connection.execute("CREATE TEMP TABLE wanted(path BLOB PRIMARY KEY) WITHOUT ROWID")
    try:
        connection.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", ((path,) for path in paths))
        rows = connection.execute(
            "SELECT DISTINCT uses.run, paths.path, uses.use FROM uses JOIN paths ON paths.id = uses.path"
            " WHERE uses.path IN (SELECT id FROM paths JOIN wanted ON wanted.path = paths.path)"
        )
        for run, path, use in rows:
            uses[run, path] = uses.get((run, path), 0) | use
    finally:
        connection.execute("DROP TABLE wanted")
    return uses


def read_replaced(connection: sqlite3.Connection) -> set[bytes]:
    """Give the paths that were read, but only after the experiment itself had replaced or removed what was there."""
    rows = connection.execute(
        "SELECT paths.path FROM uses JOIN paths ON paths.id = uses.path WHERE uses.use & ? GROUP BY uses.path"
        " HAVING max(uses.use & ?) AND min(CASE WHEN uses.use & ? THEN uses.id END)"
        " < min(CASE WHEN NOT uses.use & ? THEN uses.id END)",
        (_CONTENT | _REPLACING, int(Use.READ), _REPLACING, _REPLACING),
    )
    return {path for (path,) in rows}


def read_pids(connection: sqlite3.Connection, run: int) -> set[int]:
    """Give the ids of a run's processes."""
    return {pid for (pid,) in connection.execute("SELECT DISTINCT pid FROM processes WHERE run = ?", (run,))}


def read_results(connection: sqlite3.Connection) -> list[After]:
    """Give the state in which each run left what it may have changed, sorted by run and path."""
    rows = connection.execute(
        "SELECT run, paths.path, type, mode, size, mtime_ns, device, inode, sha256, target"
        " FROM results JOIN paths ON paths.id = results.path"
    )
    return sorted(map(After._make, rows), key=lambda after: (after.run, after.path))


def read_copies(connection: sqlite3.Connection) -> list[Copy]:
    """Give every snapshot that was taken, with what the file was then, sorted by run and path."""
    rows = connection.execute(
        "SELECT snapshots.run, paths.path, size, mtime_ns, inode, file FROM snapshots"
        " JOIN paths ON paths.id = snapshots.path"
        " JOIN facts ON facts.run = snapshots.run AND facts.path = snapshots.path WHERE file IS NOT NULL"
    )
    return sorted(map(Copy._make, rows))


def read_notices(connection: sqlite3.Connection, runs: Container[str] | None = None) -> tuple[Notice, ...]:
    """Give what could not be captured faithfully of these runs, by their names, or of all; each thing once."""
    names = read_run_names(connection)
    rows = connection.execute("SELECT run, kind, what, advice FROM notices ORDER BY id")
    return tuple(dict.fromkeys(Notice(*row) for run, *row in rows if runs is None or names.get(run) in runs))
