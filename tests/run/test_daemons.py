"""Processes that outlive the command: waited for by default, let go on request."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from observing import Observation, observe, run_rtrace

LEAVING = "(setsid sh -c 'cat < gate; cat late > out' > /dev/null 2>&1 &); exit 4"


def prepare(folder: Path) -> None:
    """Make the files that the daemon of LEAVING needs; it goes on when something is written to ``gate``."""
    os.mkfifo(folder / "gate")
    (folder / "late").write_text("late\n")


def test_who_is_waited_for_is_named(tmp_path: Path) -> None:
    """After about a second of waiting, one line names the programs that outlive the command, and the way out."""
    prepare(tmp_path)
    command = [sys.executable, "-m", "rtrace", "trace", "-q", "--", "sh", "-c", LEAVING]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        (tmp_path / "gate").write_text("go\n")
        assert tracer.wait(timeout=60) == 4
    assert line.startswith(b"rtrace: the command has ended; waiting for sh (")
    assert b"--detach-daemons" in line
    observation = Observation(subprocess.CompletedProcess([], 4), tmp_path / ".rtrace")
    assert os.fsencode(tmp_path / "late") in observation.uses()


def test_detached_daemon_goes_on_untraced(tmp_path: Path) -> None:
    """With --detach-daemons the trace is whole when the command ends, and the daemon does its work afterwards."""
    prepare(tmp_path)
    completed = run_rtrace("trace", "-q", "--detach-daemons", "--", "sh", "-c", LEAVING, cwd=tmp_path)
    assert completed.returncode == 4, completed.stderr
    observation = Observation(completed, tmp_path / ".rtrace")
    assert os.fsencode(tmp_path / "late") not in observation.uses()
    assert run_rtrace("pack", cwd=tmp_path).returncode == 0
    (tmp_path / "gate").write_text("go\n")
    deadline = time.monotonic() + 30
    while not (tmp_path / "out").exists() or (tmp_path / "out").read_text() != "late\n":
        assert time.monotonic() < deadline


def test_detaching_waits_for_nobody_where_there_is_nobody(tmp_path: Path) -> None:
    """--detach-daemons changes nothing for a command that leaves nobody behind, nor the errors before a run."""
    observation = observe(tmp_path / "trace", "sh", "-c", "exit 3")
    completed = run_rtrace("trace", "-q", "--detach-daemons", "-d", tmp_path / "other", "sh", "-c", "exit 3")
    assert completed.returncode == observation.completed.returncode == 3
    assert run_rtrace("trace", "--detach-daemons", "-d", tmp_path / "none", "no-such-command").returncode == 127
