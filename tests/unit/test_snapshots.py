"""What is changed is copied before, as long as the copies stay below a limit; what is beyond is told and not copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtrace.capture.books.snapshots import SnapshotLimitError, SnapshotTaker


def test_many_losses_are_added_up(tmp_path: Path) -> None:
    """Twenty files are told one by one, all others in one sentence at the end, with a limit for all of them."""
    told: list[tuple[str, str]] = []
    taker = SnapshotTaker(tmp_path, 0, lambda what, advice: told.append((what, advice)))
    (tmp_path / "file").write_bytes(b"x" * 1024)
    for number in range(30):
        with pytest.raises(SnapshotLimitError):
            taker.take(bytes(tmp_path / "file"), str(number))
    assert len(told) == 20
    taker.finish()
    assert len(told) == 21
    assert told[-1][0].startswith("the run changed 10 more files (10.0 KiB), which were not copied before")
    assert "--snapshot-limit 30K" in told[-1][1]
