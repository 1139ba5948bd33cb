"""What each run found at every path, what it did there, and how it left it: rows, path by path."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


class Found(NamedTuple):
    """What a run (by its number) found at a path; ``type`` is None for nothing. ``uses`` are the rows of ``uses``."""

    run: int
    type: str | None
    size: int | None
    mtime_ns: int | None
    ctime_ns: int | None
    target: bytes | None
    uses: frozenset[int]


class Left(NamedTuple):
    """How a run left a path that it may have changed."""

    type: str | None
    size: int | None
    mtime_ns: int | None
    sha256: str | None
    target: bytes | None


class PathHistory(NamedTuple):
    """What the runs of a trace found at a path, and left there, in the order of the runs."""

    path: bytes
    found: tuple[Found, ...]
    left: dict[int, Left]


def read_histories(connection: sqlite3.Connection) -> Iterator[PathHistory]:
    """Yield every path of a trace. Text may come as bytes, as from a database that anybody may have written.

    Raises sqlite3.Error, and ValueError for values of types that no trace has.
    """
    left: dict[int, dict[int, Left]] = {}
    for number, run, type_, *state, sha256, target in connection.execute(
        "SELECT path, run, type, size, mtime_ns, sha256, target FROM results ORDER BY path, run"
    ):
        size, mtime_ns = map(_number, state)
        left.setdefault(number, {})[run] = Left(_text(type_), size, mtime_ns, _text(sha256), _bytes(target))
    uses = _Grouped(connection, "SELECT DISTINCT path, run, use FROM uses ORDER BY path, run, use")
    facts = connection.execute(
        "SELECT facts.path, paths.path, run, type, size, mtime_ns, ctime_ns, target"
        " FROM facts JOIN paths ON paths.id = facts.path ORDER BY facts.path, run"
    )
    for number, rows in groupby(facts, itemgetter(0)):
        used: dict[int, set[int]] = {}
        for _, run, use in uses.of(number):
            used.setdefault(run, set()).add(int(use))
        path = b""
        found = []
        for _, name, run, type_, size, mtime_ns, ctime_ns, target in rows:
            path = _bytes(name) or b""
            times = (_number(size), _number(mtime_ns), _number(ctime_ns))
            found.append(Found(run, _text(type_), *times, _bytes(target), frozenset(used.get(run, ()))))
        yield PathHistory(path, tuple(found), left.get(number, {}))


class _Grouped:
    """The rows of a query that begin with a number, asked for in its order."""

    def __init__(self, connection: sqlite3.Connection, query: str) -> None:
        self._rows = connection.execute(query)
        self._next = next(self._rows, None)

    def of(self, number: int) -> Iterator[tuple[int, int, int]]:
        while self._next is not None and self._next[0] < number:
            self._next = next(self._rows, None)
        while self._next is not None and self._next[0] == number:
            yield self._next
            self._next = next(self._rows, None)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise ValueError(f"a text is a {type(value).__name__}")


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    raise ValueError(f"a path is a {type(value).__name__}")


def _number(value: object) -> int | None:
    if value is None or isinstance(value, int):
        return value
    raise ValueError(f"a number is a {type(value).__name__}")


def read_listed(connection: sqlite3.Connection) -> dict[bytes, frozenset[int]]:
    """Return the folders that runs listed, with the numbers of these runs."""
    found: dict[bytes, set[int]] = {}
    for path, run in connection.execute(
        "SELECT DISTINCT paths.path, run FROM uses JOIN paths ON paths.id = uses.path WHERE use & 16"
    ):
        found.setdefault(_bytes(path) or b"", set()).add(run)
    return {path: frozenset(runs) for path, runs in found.items()}


def read_sources(connection: sqlite3.Connection) -> frozenset[bytes]:
    """Return the paths whose file was renamed or linked."""
    query = "SELECT DISTINCT paths.path FROM moves JOIN paths ON paths.id = moves.source"
    return frozenset(_bytes(path) or b"" for (path,) in connection.execute(query))
