"""What the runs did to files: renames and links, the copies taken before a change, the state they left."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

    from rtrace.files.xattrs import Attributes


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
        """The paths whose file got another name."""
        return (self.source, self.destination) if self.kind == "exchange" else (self.source,)


class Copy(NamedTuple):
    """A snapshot: what a path held before a run (by its number) changed it."""

    run: int
    path: bytes
    size: int
    mtime_ns: int
    inode: int
    file: str


def read_results(connection: sqlite3.Connection) -> list[After]:
    """Return the state in which each run left what it may have changed, sorted by run and path."""
    rows = connection.execute(
        "SELECT run, paths.path, type, mode, size, mtime_ns, device, inode, sha256, target"
        " FROM results JOIN paths ON paths.id = results.path"
    )
    return sorted(map(After._make, rows), key=lambda after: (after.run, after.path))


def read_moves(connection: sqlite3.Connection) -> list[Move]:
    """Return every rename and link, in their order."""
    rows = connection.execute(
        "SELECT run, time, kind, sources.path, destinations.path FROM moves"
        " JOIN paths AS sources ON sources.id = moves.source"
        " JOIN paths AS destinations ON destinations.id = moves.destination ORDER BY moves.id"
    )
    return list(map(Move._make, rows))


def read_copies(connection: sqlite3.Connection) -> list[Copy]:
    """Return every snapshot that was taken, with what the file was then, sorted by run and path."""
    rows = connection.execute(
        "SELECT snapshots.run, paths.path, size, mtime_ns, inode, file FROM snapshots"
        " JOIN paths ON paths.id = snapshots.path"
        " JOIN facts ON facts.run = snapshots.run AND facts.path = snapshots.path WHERE file IS NOT NULL"
    )
    return sorted(map(Copy._make, rows))


def read_attributes(connection: sqlite3.Connection) -> dict[bytes, Attributes]:
    """Return the extended attributes that files had before the first run that changed them or the file."""
    rows = connection.execute(
        "SELECT paths.path, run, name, value FROM attributes JOIN paths ON paths.id = attributes.path"
        " ORDER BY attributes.path, run, name"
    )
    found: dict[bytes, Attributes] = {}
    for path, group in groupby(rows, itemgetter(0)):
        first, *others = group
        found[path] = tuple((name, value) for _, run, name, value in others if run == first[1])
    return found
