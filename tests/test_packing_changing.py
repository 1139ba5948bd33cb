"""Outputs whose names change: recognised, offered as a pattern, and compared under their new names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from observing import run_rtrace
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


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize("honest", [True, False])
def test_an_output_is_compared_under_its_new_name(honest: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """A replay that leaves the same content under another time is the same; with other content it is different."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "run.sh").write_text(
        "#!/bin/sh\nmkdir run-$(date +%s.%N) && cd run-* && echo data > result\n"
        + ("" if honest else "tr -d - < /proc/sys/kernel/random/uuid > result\n")
    )
    (work / "run.sh").chmod(0o755)
    assert run_rtrace("trace", "./run.sh", cwd=work).returncode == 0
    manifest = (work / ".rtrace/manifest.yml").read_text()
    assert "run-*/result" in manifest
    assert run_rtrace("pack", tmp_path / "bundle.rpz", cwd=work).returncode == 0
    shutil.rmtree(work)
    verified = run_rtrace("verify", tmp_path / "bundle.rpz")
    assert verified.stdout.count(b"now called") == 2  # the folder, and the file in it
    assert verified.returncode == (0 if honest else 1), verified.stdout
    assert (b"other content" in verified.stdout or b"bytes instead of" in verified.stdout) is not honest


@pytest.mark.requires("user-namespaces")
def test_what_a_step_replaced_is_no_input_of_the_next(tmp_path: Path) -> None:
    """A file that an earlier experiment left, which one step writes anew and the next reads, is an intermediate."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "step.csv").write_text("old\n")
    (work / "data.csv").write_text("data\n")
    script = "cat data.csv > step.csv; sort step.csv > out.csv"
    assert run_rtrace("trace", "sh", "-c", script, cwd=work).returncode == 0
    inputs = (work / ".rtrace/manifest.yml").read_text().partition("\ninputs:")[2].partition("\noutputs:")[0]
    assert "data.csv" in inputs
    assert "step.csv" not in inputs
