"""Outputs whose names change: recognised, offered as a pattern, and compared under their new names."""

from __future__ import annotations

import pytest

from rtrace.describe.changing import find_pattern

BEGAN = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
PIDS = {4711, 12}


@pytest.mark.parametrize(
    "path, pattern",
    [
        (b"/w/plot.svg", None),
        (b"/w/plot-20260921.svg", b"/w/plot-*.svg"),
        (b"/w/plot-2026-09-21_14-13-20.svg", b"/w/plot-*.svg"),
        (b"/w/2026-09-21T14:13:20.123456/plot.svg", b"/w/*/plot.svg"),
        (b"/w/plot-20260922.svg", b"/w/plot-*.svg"),  # tomorrow, in another time zone
        (b"/w/plot-20250101.svg", None),  # a date of the data, not of the run
        (b"/w/plot-1790000001.svg", b"/w/plot-*.svg"),
        (b"/w/plot-1790000001123.svg", b"/w/plot-*.svg"),
        (b"/w/plot-1600000000.svg", None),
        (b"/w/log.4711", b"/w/log.*"),
        (b"/w/log.4712", None),
        (b"/w/step12", None),
        (b"/w/tmpab12cd_x.csv", b"/w/tmp*.csv"),
        (b"/w/tmp.Ab12Cd34Ef", b"/w/tmp.*"),
        (b"/tmp/tmpab12cd_x", b"/tmp/tmp*"),
        (b"/tmp/tmpab12cd_x/out", b"/tmp/tmp*/out"),
        (b"/tmp/tmp.Ab12Cd34Ef/out.csv", b"/tmp/tmp.*/out.csv"),
        (b"/tmp/pytest-of-root/pytest-12/test_it0/out", b"/tmp/pytest-of-root/pytest-*/test_it0/out"),
        (b"/tmp/RtmpAb1Cd2/file1a2b3c4d5e6f.csv", b"/tmp/Rtmp*/file*.csv"),
        (b"/tmp/ccXy12ab.s", b"/tmp/cc*.s"),
        (b"/var/tmp/study-k3j9x1ab/out", b"/var/tmp/study-*/out"),
        (b"/tmp/go-build1234567890/b001/x", b"/tmp/go-build*/b001/x"),
        (b"/tmp/study/k3j9x1.csv", None),  # only the name in the temporary folder itself is made by chance
        (b"/tmp/results", None),
        (b"/tmp/report2026", None),
        (b"/tmp/MyResults1", None),
        (b"/tmp/README", None),
        (b"/tmp/study-analysis/out", None),
        (b"/w/ccXy12ab.s", None),
        (b"/w/9b2b6b0e-6d0c-4c3e-9a36-0a1b2c3d4e5f.json", b"/w/*.json"),
        (b"/w/what?-20260921", None),  # a pattern could not say it
        (b"/w/\xff-20260921", b"/w/\xff-*"),
    ],
)
def test_what_changes_is_told_from_what_stays(path: bytes, pattern: bytes | None) -> None:
    """Times of the run, ids of its processes and random parts change from run to run; other numbers do not."""
    assert find_pattern(path, BEGAN, BEGAN + 60, PIDS) == pattern


def test_a_folder_that_was_there_keeps_its_name() -> None:
    """Another run works in the same folder, however it is called; what it makes there may change."""
    path, folder = b"/tmp/tmpab12cd_x/tmpab12cd_y", b"/tmp/tmpab12cd_x"
    assert find_pattern(path, BEGAN, BEGAN + 60, PIDS, folder) == b"/tmp/tmpab12cd_x/tmp*"
    assert find_pattern(path, BEGAN, BEGAN + 60, PIDS, b"/tmp") == b"/tmp/tmp*/tmp*"
