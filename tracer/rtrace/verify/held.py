"""What a bundle itself holds as a run left it: there, a replay that does nothing would seem to give the same.

This is so for outputs that were packed with ``include``, and for files that a run wrote as they had been before. They
are the same only if the replay wrote them, which a target tells by their stamps.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType
from rtrace.bundle.hostile_database import check_table, open_database

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rtrace.bundle.entry import Entry, Result
    from rtrace.bundle.protocol import OpenBundle

UNWRITTEN = "the replay did not write it: what is there came with the bundle"
UNTOLD = "the bundle holds it, and whether the replay wrote it cannot be told"
_COLUMNS = {"runs": {"id", "name"}, "paths": {"id", "path"}, "facts": {"run", "path"}, "results": {"run", "path"}}
_LEFT_ALONE = """\
SELECT runs.name, paths.path FROM results JOIN facts ON facts.run = results.run AND facts.path = results.path
JOIN runs ON runs.id = results.run JOIN paths ON paths.id = results.path
WHERE facts.type = results.type AND facts.inode = results.inode AND facts.mtime_ns = results.mtime_ns
AND facts.size = results.size"""


def find_held(results: Iterable[Result], entries: Iterable[Entry]) -> frozenset[tuple[str, bytes]]:
    """Return the run and path of each result that the bundle holds as the run left it, or may."""
    left = {(result.run, result.path): result for result in results if result.type is not None and not result.vague}
    wanted: dict[bytes, list[str]] = {}
    for run, path in left:
        wanted.setdefault(path, []).append(run)
    return frozenset(
        (run, entry.path)
        for entry in entries
        if entry.path in wanted
        for run in wanted[entry.path]
        if _may_be(entry, left[run, entry.path])
    )


def _may_be(entry: Entry, result: Result) -> bool:
    """Whether a packed file may be as a run left it."""
    if entry.type is not result.type or entry.type is FileType.DIRECTORY:
        return False
    if entry.type is FileType.REGULAR:
        digests = {entry.sha256, result.sha256} - {None}
        return entry.size == result.size and len(digests) < 2  # noqa: PLR2004 -- two that differ
    return entry.target == result.target


def leave_out_untouched(
    held: frozenset[tuple[str, bytes]], opened: OpenBundle, folder: Path
) -> frozenset[tuple[str, bytes]]:
    """Leave out what the original run had opened for writing, say, and did not change: a replay need not, either.

    The trace in the bundle tells, which is written to a folder for the moment. It may be anything: where it cannot be
    read, nothing is left out.
    """
    if not held or not opened.has_trace:
        return held
    place = folder / "trace.sqlite3"
    try:
        opened.extract_trace(place)
        with open_database(place) as connection:
            if any(not _COLUMNS[table] <= check_table(connection, table) for table in _COLUMNS):
                return held
            rows = connection.execute(_LEFT_ALONE)
            return held - {(run.decode("utf-8", "replace"), path) for run, path in rows if isinstance(run, bytes)}
    except sqlite3.Error:
        return held
    finally:
        place.unlink(missing_ok=True)
