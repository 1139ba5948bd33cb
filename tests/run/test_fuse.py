"""A run that serves a filesystem to itself: the tracer must not wait for a server that waits for the tracer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from observing import observe
from rtrace.trace.schema import Use

SOURCE = Path(__file__).parents[2] / "fixtures/programs/fuse_server.c"


@pytest.mark.requires("root", "gcc")
def test_run_that_serves_its_own_filesystem_does_not_hang(tmp_path: Path) -> None:
    """The tracer keeps away from a FUSE mount of the run, sees all else, and tells of the mount."""
    if not Path("/dev/fuse").exists():
        pytest.skip("needs /dev/fuse")
    (tmp_path / "work/mount").mkdir(parents=True)
    (tmp_path / "work/input.txt").write_text("input\n")
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", tmp_path / "server", SOURCE], check=True)
    observation = observe(tmp_path / "trace", tmp_path / "server", "mount", cwd=tmp_path / "work")
    assert observation.completed.returncode == 0, observation.completed.stderr.decode()
    assert observation.uses_below(tmp_path / "work") == {b"input.txt": Use.READ, b"mount": Use.LOOKUP}
    told = [row["what"] for row in observation.rows("SELECT what FROM notices")]
    assert told == ["server mounted a filesystem (mount)", "server unmounted a filesystem (umount2)"]
