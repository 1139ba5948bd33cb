"""`rtrace replay` with its options: a traced run replayed with other files, arguments and variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.requires("user-namespaces")

Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]
FIRST = """\
#!/bin/sh
sort data.txt > table.txt
"""
SECOND = """\
#!/bin/sh
echo "args: $*; A=$A; B=$B"
cat table.txt
[ -n "$SKIP" ] || wc -l < table.txt > count.txt
exit ${STATUS:-0}
"""


@pytest.fixture
def study(rtrace: Rtrace, tmp_path: Path) -> Path:
    """A bundle of two runs, of which the second uses what the first wrote; the originals are gone."""
    work = tmp_path / "work"
    work.mkdir()
    for name, text in (("first.sh", FIRST), ("second.sh", SECOND)):
        (work / name).write_text(text)
        (work / name).chmod(0o755)
    (work / "data.txt").write_text("b\na\n")
    for options, command in (((), ["./first.sh"]), (("--continue",), ["./second.sh", "one", "two"])):
        done = rtrace("trace", "--no-history", *options, *command, cwd=work, env={"B": "recorded"})
        assert done.returncode == 0, done.stderr.decode()
    done = rtrace("pack", "study.rpz", cwd=work)
    assert done.returncode == 0, done.stderr.decode()
    (work / "study.rpz").rename(tmp_path / "study.rpz")
    for path in work.iterdir():
        if path.is_file():
            path.unlink()
    return tmp_path / "study.rpz"


@pytest.fixture
def replay(rtrace: Rtrace, study: Path) -> Callable[..., tuple[int, str, str]]:
    """Replay; return exit status, output, and what rtrace said."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> tuple[int, str, str]:
        done = rtrace("replay", "--no-history", *arguments, env=env)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    assert study.exists()
    return run


Replay = Callable[..., tuple[int, str, str]]
PLAIN = "args: one two; A=; B=recorded\na\nb\n"


def test_files_and_arguments_are_exchanged_for_one_replay(replay: Replay, study: Path, tmp_path: Path) -> None:
    """An input that an earlier run writes is exchanged after that; outputs arrive whole, by name; JSON tells all."""
    (tmp_path / "mine").write_text("1\n2\n3\n")
    options = ("-i", f"table.txt={tmp_path / 'mine'}", "-o", "count.txt=count", "--cmdline", "x 'y z'", "--json")
    status, out, said = replay(*options, "--env", "A=new", "--env", "B", study, "2")
    assert (status, out) == (0, "args: x y z; A=new; B=\n1\n2\n3\n"), said
    assert (tmp_path / "count").read_text().strip() == "3"
    answer = json.loads(said.splitlines()[-1])
    assert [one["run"] for one in answer["runs"]] == ["run1", "run2"]
    assert answer["changed"] == ["arguments: x 'y z'", "1 variable set: A", "1 variable removed: B"]
    assert [(one["name"], one["file"], one["size"]) for one in answer["fetched"]] == [("count.txt", "count", 2)]
    assert (answer["opened"], answer["target"]) == ([], None)


def test_variables_are_passed_on_by_name(replay: Replay, study: Path) -> None:
    """A pattern takes the caller's variables and says which; one that nothing fits is told."""
    status, out, said = replay("--pass-env", "A*", "--pass-env", "NOT_*", study, "2", env={"A": "mine", "AB": "too"})
    assert (status, out.splitlines()[0]) == (0, "args: one two; A=mine; B=recorded")
    assert "passed on: A, AB" in said
    assert "--pass-env NOT_*: you have no variable of such a name" in said
    assert "mine" not in said


def test_an_input_comes_from_standard_input(study: Path, tmp_path: Path) -> None:
    """`-` is read whole before the run, which then reads nothing more."""
    command = [sys.executable, "-m", "rtrace", "replay", "--no-history", "-i", "table.txt=-", str(study), "run2"]
    done = subprocess.run(command, input=b"typed\n", capture_output=True, check=False, cwd=tmp_path, env=os.environ)
    assert (done.returncode, done.stdout.splitlines()[1:]) == (0, [b"typed"]), done.stderr.decode()


def test_outputs_are_fetched_whatever_came_of_the_run(replay: Replay, study: Path, tmp_path: Path) -> None:
    """The program's failure is the exit status; a missing output is one where the program succeeded, and is named."""
    status, _, said = replay("--env", "STATUS=3", "-o", "count.txt=count", study, "1-2")
    assert (status, (tmp_path / "count").read_text().strip()) == (3, "2"), said
    status, _, said = replay("--env", "SKIP=1", "-o", "count.txt=gone", "-o", "table.txt=table", study, "run1-run2")
    assert (status, (tmp_path / "gone").exists(), (tmp_path / "table").read_text()) == (125, False, "a\nb\n")
    assert "has no count.txt" in said
    status, _, said = replay("--env", "SKIP=1", "--env", "STATUS=4", "-o", "all=every", study)
    assert (status, sorted(os.listdir(tmp_path / "every"))) == (4, ["table.txt"]), said


def test_what_no_run_has_made_is_no_output(rtrace: Rtrace, tmp_path: Path) -> None:
    """An output that was there before the run is packed as its size: zeros of that size are never handed out for it."""
    work = tmp_path / "again"
    work.mkdir()
    (work / "make.sh").write_text('[ "$1" = idle ] || echo "score: $1" > result.txt\nexit "$2"\n')
    (work / "result.txt").write_text("score: 0\n")
    assert rtrace("trace", "--no-history", "sh", "make.sh", "1", "0", cwd=work).returncode == 0
    assert rtrace("pack", "bundle.rpz", cwd=work).returncode == 0
    for status, told in (("0", 125), ("3", 3)):
        idle = ("--cmdline", f"make.sh idle {status}", "-o", "result.txt=made", "-o", "all=every")
        done = rtrace("replay", "--no-history", *idle, "bundle.rpz", cwd=work)
        assert (done.returncode, (work / "made").exists(), os.listdir(work / "every")) == (told, False, [])
        assert b"has only the size of result.txt" in done.stderr
        assert b"result.txt is not there" in done.stderr
    done = rtrace("run", "--no-history", "--into", "swept", "--sweep", "arg:2=idle,7", "bundle.rpz", cwd=work)
    rows = [row.split(",") for row in (work / "swept/table.csv").read_text().splitlines()]
    assert [(row[1], row[rows[0].index("score")]) for row in rows[1:]] == [("incomplete", ""), ("done", "7")]
    assert not (work / "swept/arg2=idle/result.txt").exists()
    assert rtrace("unpack", "chroot", "bundle.rpz", "target", cwd=work).returncode == 0
    done = rtrace("download", "target", "result.txt:-", cwd=work)
    assert (done.returncode, done.stdout) == (125, b"")
    assert rtrace("download", "target", cwd=work).stdout.startswith(b"original\t")
    assert rtrace("replay", "--no-history", "target", cwd=work).returncode == 0
    listed = rtrace("download", "target", cwd=work)
    assert (listed.stdout[:10], listed.stderr) == (b"generated\t", b"")
    assert rtrace("download", "target", "result.txt:-", cwd=work).stdout == b"score: 1\n"


def test_what_makes_no_sense_is_told_before_a_run(replay: Replay, study: Path, tmp_path: Path) -> None:
    """Unknown names, files in the way, arguments for two programs: a sentence, status 2, and nothing was replayed."""
    (tmp_path / "precious").write_text("precious")
    for options, names, sentence in (
        (("-o", "count.txt=precious"), (), "precious exists already: remove it, or name another file for count.txt"),
        (("-o", "all=work/.."), (), "exists already, and is no empty folder"),
        (("-o", "cuont.txt=x"), (), "there is no output cuont.txt"),
        (("-i", "nothing=precious"), (), "there is no input nothing"),
        (("-i", "data.txt=missing"), (), "cannot read missing"),
        (("--cmdline", "x"), (), "--cmdline is for one run, and there are run1, run2: name one of them"),
        (("--cmdline", "'"), ("1",), "a quote is not closed"),
        ((), ("2-1",), "the range '2-1' goes backwards"),
        ((), ("3",), "has no run '3'; it has: run1, run2"),
        ((), ("1", "1-2"), "run1 is named twice"),
    ):
        status, out, said = replay(*options, study, *names)
        assert (status, out, sentence in said) == (2, "", True), said
        assert "Traceback" not in said
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_target_is_kept_and_has_its_own_inputs_again(
    replay: Replay, study: Path, rtrace: Rtrace, tmp_path: Path
) -> None:
    """A bundle's target stays under its name or another; an input exchanged there is put back after the replay."""
    (tmp_path / "mine").write_text("z\ny\n")
    status, _, said = replay("--keep", "-i", "data.txt=mine", study, "1")
    assert status == 0, said
    assert "unpacked into study, which stays; `rtrace destroy study` removes it" in said
    table, data = (tmp_path / "study/root" / str(tmp_path)[1:] / "work" / name for name in ("table.txt", "data.txt"))
    assert (table.read_text(), data.read_text()) == ("y\nz\n", "b\na\n")
    status, out, said = replay("-i", "table.txt=mine", "study", "2")
    assert (status, out.splitlines()[1:]) == (0, ["z", "y"]), said
    assert table.read_text() == "y\nz\n"
    assert replay("study")[:2] == (0, PLAIN)
    status, _, said = replay("--keep", "study")
    assert (status, "leave out --keep" in said) == (2, True)
    status, _, said = replay("--keep", study)
    assert (status, "study exists already" in said) == (125, True)
    assert replay("--keep-as", "other", study)[:2] == (0, PLAIN)
    for name in ("study", "other"):
        assert rtrace("destroy", name).returncode == 0


def test_the_history_tells_a_changed_replay(rtrace: Rtrace, study: Path, tmp_path: Path) -> None:
    """A record has the options that made it another run, without values of variables."""
    history = {"RTRACE_HISTORY": str(tmp_path / "history")}
    done = rtrace("replay", "--cmdline", "x", "--env", "A=s3cret", study, "2", env=history)
    assert done.returncode == 0, done.stderr.decode()
    records = [json.loads(path.read_text()) for path in (tmp_path / "history").rglob("*.json")]
    assert [one["arguments"] for one in records if one.get("kind") == "replay"] == [
        ["rtrace", "replay", "--cmdline", "x", "--env", "A=*", str(study), "2"]
    ]
    assert "s3cret" not in json.dumps(records)
