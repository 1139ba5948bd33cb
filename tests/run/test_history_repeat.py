"""A run done again as it was recorded, and the records of replays and verifications."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from observing import run_rtrace
from waiting import wait_until


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run things in, with a history of its own."""
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "in.txt").write_text("b\na\n")
    return folder


def call(work: Path, *arguments: str, **options: Any) -> CompletedProcess[bytes]:
    """Run rtrace in the folder."""
    return run_rtrace(*arguments, cwd=work, **options)


def show(work: Path, name: str) -> dict[str, Any]:
    """Return the record of a run."""
    record: dict[str, Any] = json.loads(call(work, "show", "--json", name).stdout)["record"]
    return record


def test_the_same_results_are_the_same(work: Path, tmp_path: Path) -> None:
    """From another folder, with another environment: folder, words and variables are those of the record."""
    traced = call(
        work, "trace", "-q", "sh", "-c", "sort in.txt > out.txt; echo $COLOUR", env={**os.environ, "COLOUR": "blue"}
    )
    assert traced.returncode == 0
    done = run_rtrace("repeat", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"blue\n"), done.stderr
    assert done.stderr == b"rtrace: same: 3 results compared\n"
    first, second = show(work, "last~1"), show(work, "last")
    assert second["parent"] == first["id"]
    assert second["verdict"]["verdict"] == "same"
    assert second["arguments"] == first["arguments"]
    assert second["environment"]["COLOUR"] == "blue"
    assert second["trace"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history", "work"]


def test_the_trace_is_kept_where_it_is_asked_for_or_shows_something(work: Path) -> None:
    """With --dir it stays in any case, without when a result differs, so that it can be looked into."""
    assert call(work, "trace", "-q", "sh", "-c", "cat in.txt > out.txt").returncode == 0
    done = call(work, "repeat", "-d", "kept")
    assert done.stderr == f"rtrace: same: 3 results compared; the trace is in {work}/kept\n".encode()
    assert show(work, "last")["trace"] == str(work / "kept")
    (work / "in.txt").write_text("c\n")
    done = call(work, "repeat", "--json", "last~1")
    answer = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, answer["id"]) == (1, show(work, "last")["id"])
    assert show(work, "last")["trace"] == answer["directory"]
    assert Path(answer["directory"], "records/run1.json").exists()
    call(work, "repeat", "-q", "last")
    assert len([path for path in work.iterdir() if "repeat" in path.name]) == 1


def test_a_difference_is_named(work: Path) -> None:
    """Another content, another status and something else printed are each a sentence; the exit status is 1."""
    assert call(work, "trace", "-q", "sh", "-c", "cp in.txt out.txt; cat in.txt; test -s in.txt").returncode == 0
    (work / "in.txt").write_text("")
    done = call(work, "repeat", "--json")
    assert done.returncode == 1
    answer = json.loads(done.stderr.splitlines()[-1])
    assert answer["verdict"] == "different"
    assert answer["differences"] == [
        "it ended otherwise: status 0, now status 1",
        "./out.txt: text, line 1: no more lines, was b",
        "stdout: something else was printed",
    ]


def test_outputs_are_compared_as_what_they_are(work: Path) -> None:
    """Other bytes that say the same are equal; where they do not, the place is named. What is gone has no say."""
    (work / "in.json").write_text('{"a": 1, "b": [2, 3]}')
    assert call(work, "trace", "-q", "sh", "-c", "cat in.json > out.json; cat in.txt > out.txt").returncode == 0
    first = show(work, "last")["id"]
    (work / "in.json").write_text('{"b": [2, 3],\n"a": 1}')
    done = call(work, "repeat", first)
    assert (done.returncode, done.stdout) == (0, b"")
    told, verdict = done.stderr.splitlines()
    assert told.startswith(b"rtrace: equal: ./out.json: JSON, with other bytes: ")
    assert verdict == b"rtrace: equal: 4 results compared"
    assert show(work, "last")["verdict"]["verdict"] == "equal"
    assert show(work, "last")["trace"] is None
    done = call(work, "repeat", first)  # what lies there now is not the first run's
    assert done.returncode == 1
    assert b"./out.json: another content\n" in done.stderr
    (work / "in.json").write_text('{"a": 1, "b": [2, 4]}')
    done = call(work, "repeat", "last~1")
    assert done.returncode == 1
    assert b"./out.json: JSON, /b/1: 4, was 3\n" in done.stderr
    (work / "out.json").unlink()
    (work / "in.json").write_text('{"a": 1, "b": [2, 5]}')
    (work / "temporary").mkdir()
    done = call(work, "repeat", "last", env={**os.environ, "TMPDIR": str(work / "temporary")})
    assert done.returncode == 1
    assert b"./out.json: another content\n" in done.stderr
    assert list((work / "temporary").iterdir()) == []


def test_an_interrupted_repetition_proves_nothing(work: Path) -> None:
    """Ctrl-C ends a repetition with 130 and no verdict, also when the first run was interrupted just so."""
    traced = call(work, "trace", "-q", "sh", "-c", "echo > begun; test ! -e again || exec sleep 60")
    assert traced.returncode == 0
    (work / "again").touch()
    for _ in range(2):
        (work / "begun").unlink()
        words = [sys.executable, "-m", "rtrace", "repeat", "last"]
        with subprocess.Popen(words, cwd=work, stderr=subprocess.PIPE, start_new_session=True) as repeating:
            wait_until((work / "begun").exists)
            os.kill(repeating.pid, signal.SIGINT)  # passed on; were both sent it, either might be first
            said = repeating.communicate(timeout=60)[1].decode()
        assert repeating.returncode == 130
        assert "interrupted by SIGINT, so nothing is compared" in said
        second = show(work, "last")
        assert (second["status"], second["verdict"]) == ("killed", None)
        assert second["parent"] is not None


def test_secrets_come_from_the_present_environment(work: Path) -> None:
    """What was redacted is not recorded; the value of now is given to the program, and that is said."""
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    env = {**os.environ, "GITHUB_TOKEN": token}
    assert call(work, "trace", "-q", "sh", "-c", "echo ${#GITHUB_TOKEN} > out", env=env).returncode == 0
    assert token not in json.dumps(show(work, "last"))
    done = call(work, "repeat", env=env)
    assert done.returncode == 0, done.stderr
    assert b"taken from the present environment" in done.stderr
    assert token.encode() not in done.stderr
    done = call(work, "repeat", "last~1")
    assert done.returncode == 1
    assert b"are not in the environment: GITHUB_TOKEN" in done.stderr


def test_what_cannot_be_repeated_is_refused(work: Path, tmp_path: Path) -> None:
    """A folder that is gone, and a verification, are told in a sentence."""
    assert call(work, "trace", "-q", "true").returncode == 0
    work.rename(tmp_path / "moved")
    done = run_rtrace("repeat", cwd=tmp_path)
    assert done.returncode == 2
    assert b"is not there any more" in done.stderr


@pytest.mark.requires("user-namespaces")
def test_replays_and_verifications_are_kept_with_their_verdict(work: Path) -> None:
    """Each names its bundle and the run that it is of; --no-history keeps none."""
    assert call(work, "trace", "-q", "sh", "-c", "sort in.txt > out.txt").returncode == 0
    assert call(work, "pack", "-q", "../b.rpz").returncode == 0
    assert call(work, "verify", "-q", "../b.rpz").returncode == 0
    assert call(work, "replay", "-q", "../b.rpz").returncode == 0
    for command in ("verify", "replay"):
        assert call(work, command, "-q", "--no-history", "../b.rpz").returncode == 0
    rows = json.loads(call(work, "log", "--json").stdout)["runs"]
    assert [(row["kind"], row["verdict"]) for row in rows] == [
        ("replay", None),
        ("verification", "same"),
        ("run", None),
    ]
    original = show(work, "last")
    for row in rows[:2]:
        record = show(work, row["id"])
        assert record["parent"] == original["id"]
        assert record["bundles"][0]["run"] == "run1"
        assert record["bundles"][0]["identity"].startswith("sha256:")


@pytest.mark.requires("user-namespaces")
def test_a_history_that_takes_nothing_changes_no_verdict(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit status is that of the verdict, and a sentence tells that it was not kept."""
    assert call(work, "trace", "-q", "sh", "-c", "sort in.txt > out.txt").returncode == 0
    assert call(work, "pack", "-q", "../b.rpz").returncode == 0
    (tmp_path / "file").touch()
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "file/below"))
    done = call(work, "verify", "-q", "../b.rpz")
    assert done.returncode == 0
    assert b"this is not in the history" in done.stderr
