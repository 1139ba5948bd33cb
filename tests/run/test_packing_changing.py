"""Outputs whose names change: recognised, offered as a pattern, and compared under their new names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from observing import run_rtrace


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
    verified = run_rtrace("verify", "--all", tmp_path / "bundle.rpz")
    assert verified.stdout.count(b"now called") == 2  # the folder, and the file in it
    assert verified.returncode == (0 if honest else 1), verified.stdout
    assert (b"result: text, line 1 (now called " in verified.stdout) is not honest


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
