"""Which runs of a trace used what earlier ones had written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.trace.schema import Use

if TYPE_CHECKING:
    import sqlite3

_USING = int(Use.READ | Use.WRITE | Use.EXECUTE | Use.LIST | Use.LOOKUP | Use.METADATA | Use.REMOVE)


def read_needs(connection: sqlite3.Connection) -> dict[int, tuple[int, ...]]:
    """Return for a run, by numbers, the earlier ones whose files it used, or in whose folders it made something.

    Of several runs that wrote a file, the last one counts. What a run only replaces, it does not need.
    """
    if connection.execute("SELECT count(*) FROM runs").fetchone()[0] < 2:  # noqa: PLR2004 -- one needs nobody
        return {}
    writers: dict[bytes, list[tuple[int, bool]]] = {}
    for run, path, type_ in connection.execute(
        "SELECT run, paths.path, type FROM results JOIN paths ON paths.id = results.path WHERE type IS NOT NULL"
        " ORDER BY run"
    ):
        writers.setdefault(path, []).append((run, type_ == "directory"))
    made: set[tuple[int, bytes]] = set()
    used: set[tuple[int, bytes]] = set()
    replaced: set[tuple[int, bytes]] = set()
    for run, path, use in connection.execute(
        "SELECT uses.run, paths.path, use FROM uses JOIN paths ON paths.id = uses.path"
        " GROUP BY uses.run, uses.path, use ORDER BY min(uses.time), min(uses.id)"
    ):
        folder = path.rpartition(b"/")[0]
        if use & Use.TRUNCATE:
            replaced.add((run, path))
        if path in writers and use & _USING and (run, path) not in replaced:
            used.add((run, path))
        if path in writers and use & Use.CREATE:
            made.add((run, path))
        if folder in writers and use & Use.CREATE:
            used.add((run, folder))
    found: dict[int, set[int]] = {}
    for run, path in used:
        earlier = [(writer, is_folder) for writer, is_folder in writers[path] if writer < run]
        if earlier and not (earlier[-1][1] and (run, path) in made):
            found.setdefault(run, set()).add(earlier[-1][0])
    return {run: tuple(sorted(needed)) for run, needed in found.items()}
