"""Where rtrace is run, and under which limits: the run is the same there, and its trace is whole."""

from __future__ import annotations

from pathlib import Path

from rtrace.capture.books.journal import Journal
from rtrace.files.stamps import keep_inode, keep_time
from rtrace.trace.directory import TraceDirectory


def test_numbers_beyond_63_bits_are_kept_as_far_as_they_fit(tmp_path: Path) -> None:
    """An inode number keeps its bits, a time is the nearest, and no number at all keeps a batch from being written."""
    assert [keep_inode(number) for number in (7, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)] == [
        7, (1 << 63) - 1, -1 << 63, -1,
    ]  # fmt: skip
    assert [keep_time(number) for number in (7, 1 << 63, -1 << 70)] == [7, (1 << 63) - 1, -1 << 63]
    connection = TraceDirectory(tmp_path).fill()
    journal = Journal(connection)
    journal.pending["paths"] += [(1, b"/one"), (1 << 80, b"/two")]
    journal.flush()
    assert connection.execute("SELECT * FROM paths ORDER BY id").fetchall() == [(1, b"/one"), ((1 << 63) - 1, b"/two")]
    connection.close()
