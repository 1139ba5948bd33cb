"""`rtrace rerun`: stale and chosen runs again, in order, as they were recorded."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from observing import run_rtrace

Rtrace = Callable[..., CompletedProcess[bytes]]


@pytest.fixture
def work(tmp_path: Path, rtrace: Rtrace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs that were recorded here: two that belong together, and one beside them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").write_text("1")
    (work / "other").write_text("x")
    for number, script in enumerate(
        ('cat data > one; echo "$WORD" >> one; exit "$(cat data)"', "cat one > two", "cat other > three")
    ):
        more = ["--continue"] if number else []
        env = {"WORD": "recorded"}
        done = rtrace("trace", "-q", *more, "/bin/sh", "-c", script, cwd=work, env=env)
        assert done.returncode == (1 if number == 0 else 0), done.stderr
    return work


def test_stale_runs_are_run_again_in_order(work: Path, rtrace: Rtrace) -> None:
    """With what needs them and nothing else, in the recorded environment; the new trace is fresh under their names."""
    assert rtrace("rerun", "--stale", cwd=work).stderr == b"rtrace: nothing is stale\n"
    (work / "one").write_text("edited")
    (work / "three").chmod(0o600)
    done = rtrace("rerun", "--stale", cwd=work)
    assert done.returncode == 0, done.stderr
    assert (work / "one").read_text() == (work / "two").read_text() == "1recorded\n"
    assert b"rtrace: run1: exit status 1\nrtrace: run2: exit status 0\n" in done.stderr
    assert b"run3" not in done.stderr
    told = rtrace("status", ".rtrace-rerun", cwd=work)
    assert told.returncode == 0, told.stdout
    assert [line.split()[1] for line in told.stdout.splitlines()[:2]] == [b"run1", b"run2"]
    again = rtrace("rerun", "run3", cwd=work)
    assert again.returncode == 2
    assert b"exists already" in again.stderr


def test_a_run_that_ends_otherwise_stops_what_needs_it(work: Path, rtrace: Rtrace) -> None:
    """Nothing is computed from what went wrong."""
    (work / "data").write_text("3")
    (work / "two").unlink()
    done = rtrace("rerun", "-d", "again", "run1", cwd=work)
    assert done.returncode == 1
    assert b"run1: exit status 3, was 1" in done.stderr
    assert b"1 run not started after it" in done.stderr
    assert not (work / "two").exists()


def test_what_somebody_else_recorded_is_shown_and_not_run(work: Path, rtrace: Rtrace) -> None:
    """A trace directory can hold any command."""
    foreign = work.parent / "foreign"
    shutil.copytree(work, foreign)
    for record in (foreign / ".rtrace/records").iterdir():
        record.unlink()
    (foreign / "three").unlink()
    done = rtrace("rerun", "run3", cwd=foreign)
    assert done.returncode == 2
    assert b"not recorded here by you; it would run `/bin/sh -c 'cat other > three'`" in done.stderr
    assert b"there is no run run9" in rtrace("rerun", "run9", cwd=work).stderr
    assert b"name runs, or use --stale" in run_rtrace("rerun", cwd=work).stderr
