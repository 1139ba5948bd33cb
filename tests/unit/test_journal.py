"""The journal: what cannot be written yet is not lost."""

import sqlite3
from pathlib import Path

import pytest

from rtrace.capture.books.journal import Journal
from rtrace.trace.directory import TraceDirectory


def test_rows_wait_until_there_is_room(tmp_path: Path) -> None:
    """When the database cannot grow, nothing of the batch is written, and all of it once it can."""
    connection = TraceDirectory(tmp_path).fill()
    journal = Journal(connection)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    journal.pending["paths"].extend((number, b"/%d" % number * 100) for number in range(1, 1000))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        journal.flush()
    assert connection.execute("SELECT count(*) FROM paths").fetchone() == (0,)
    journal.pending["paths"].append((1000, b"/later"))
    connection.execute("PRAGMA max_page_count = 100000")
    journal.flush()
    assert [number for (number,) in connection.execute("SELECT id FROM paths ORDER BY rowid")] == list(range(1, 1001))
    assert not journal.pending["paths"]
    connection.close()
