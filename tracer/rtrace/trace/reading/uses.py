"""Which run used which path, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.trace.schema import Use

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

_CONTENT = int(Use.READ | Use.WRITE | Use.EXECUTE)
_REPLACING = int(Use.TRUNCATE | Use.CREATE | Use.REMOVE)


def read_uses(connection: sqlite3.Connection, paths: Collection[bytes]) -> dict[tuple[int, bytes], int]:
    """Return every flag of every use of some paths in a run, by run number and path."""
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
    """Return the paths that were read, but only after the experiment itself had replaced or removed what was there."""
    rows = connection.execute(
        "SELECT paths.path FROM uses JOIN paths ON paths.id = uses.path WHERE uses.use & ? GROUP BY uses.path"
        " HAVING max(uses.use & ?) AND min(CASE WHEN uses.use & ? THEN uses.id END)"
        " < min(CASE WHEN NOT uses.use & ? THEN uses.id END)",
        (_CONTENT | _REPLACING, int(Use.READ), _REPLACING, _REPLACING),
    )
    return {path for (path,) in rows}
