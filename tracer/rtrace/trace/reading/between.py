"""What nobody traced did to files between one run of a trace and the next: a replay of both runs lacks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rtrace.trace.reading.reader import read_uses
from rtrace.trace.schema import Use
from rtrace.trace.treatment import is_unread

if TYPE_CHECKING:
    import sqlite3

_CONTENT, _APPEND = int(Use.READ | Use.EXECUTE), int(Use.APPEND)
_THERE = _CONTENT | _APPEND | int(Use.LOOKUP | Use.METADATA)


class Interference(NamedTuple):
    """A file that a run (by number) did not find as an earlier one had left it: ``how`` is made, changed or removed."""

    path: bytes
    earlier: int
    run: int
    how: str


class _State(NamedTuple):
    type: str | None
    size: int | None
    mtime_ns: int | None


def read_interferences(connection: sqlite3.Connection) -> list[Interference]:
    """Return what was done to files that runs used, between these runs, sorted by path.

    Looked at are files that came into being and were read, and those that a run had left and a later one found changed
    or gone. Nothing is known of runs of several machines, or that went on at the same time.
    """
    apart = (
        "SELECT count(*), count(DISTINCT hostname), EXISTS"
        " (SELECT 1 FROM runs AS one JOIN runs AS other ON other.id > one.id"
        " AND (one.finished IS NULL OR other.started < one.finished)) FROM runs"
    )
    number, hosts, overlapping = connection.execute(apart).fetchone()
    if number < 2 or hosts > 1 or overlapping:  # noqa: PLR2004 -- there is something between two
        return []
    left: dict[int, dict[int, _State]] = {}
    for path, run, *state in connection.execute("SELECT path, run, type, size, mtime_ns FROM results"):
        left.setdefault(path, {})[run] = _State(*state)
    suspects: list[tuple[int, Interference]] = []
    previous, earlier, is_left, before = None, 0, False, _State(None, None, None)
    for path, name, run, *state in connection.execute(
        "SELECT facts.path, paths.path, run, type, size, mtime_ns FROM facts JOIN paths ON paths.id = facts.path"
        " ORDER BY facts.path, run"
    ):
        found = _State(*state)
        how = _compare(before, found, is_left=is_left) if path == previous else None
        if how is not None:
            suspects.append((path, Interference(name, earlier, run, how)))
        after = left.get(path, {}).get(run)
        previous, earlier, is_left, before = path, run, after is not None, after or found
    uses = read_uses(connection, {one.path for _, one in suspects}) if suspects else {}
    return sorted(one for _, one in suspects if _matters(one.how, uses.get((one.run, one.path), 0)))


def _matters(how: str, uses: int) -> bool:
    """Whether a run's uses of a file depend on what was done to it: what is replaced unread does not."""
    if how == "removed":
        return bool(uses & _THERE)
    return bool(uses & (_CONTENT if how == "made" else _CONTENT | _APPEND)) and not is_unread(uses)


def _compare(before: _State, found: _State, *, is_left: bool) -> str | None:
    """Return what was done to a path; with ``is_left``, where a run wrote it, also what only looks like it."""
    if before.type is None:
        return "made" if found.type in {"file", "symlink"} else None
    if not is_left or before.type != "file":
        return None
    if found.type is None:
        return "removed"
    return "changed" if found != before else None
