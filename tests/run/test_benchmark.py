"""The benchmark's report: medians, ratios, and what it says when a tool failed."""

import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import history, packing, programs, scaling
from benchmark.descendants import find_marked, kill_marked, make_mark
from benchmark.programs import compile_program
from benchmark.rep24 import REP24
from benchmark.tools import BARE, Measurement, Tool
from benchmark.workloads import Workload

FAILING = Tool("rtrace", "rtrace trace", Path("rtrace"), lambda _: ["sh", "-c", "echo no such luck >&2; exit 125"], ())


def test_failing_tool_is_reported_by_its_last_words(tmp_path: Path) -> None:
    """A run that fails has no seconds, and gives the last line that the tool said."""
    measurement = FAILING.measure(["true"], tmp_path, tmp_path / "scratch", 10)
    assert measurement == Measurement(None, "exit status 125: no such luck")


def test_bare_run_is_timed(tmp_path: Path) -> None:
    """A bare run has seconds, no parts, and leaves nothing behind."""
    measurement = BARE.measure(["true"], tmp_path, tmp_path / "scratch", 10)
    assert measurement.seconds is not None
    assert (measurement.failure, measurement.parts, list(tmp_path.iterdir())) == ("", (), [])


def test_last_words_are_those_that_say_something(tmp_path: Path) -> None:
    """A rule of dashes behind the reason does not hide it, and a signal is called one."""
    script = "echo first >&2; echo reason >&2; echo advice >&2; echo ---- >&2; kill -SEGV $$"
    tool = Tool("care", "care", Path(), lambda _: ["sh", "-c", script], ())
    measurement = tool.measure(["true"], tmp_path, tmp_path / "scratch", 10)
    assert measurement == Measurement(None, "signal 11: reason; advice")


def test_run_that_hangs_is_ended_with_all_it_began(tmp_path: Path) -> None:
    """A tool that gives no answer in time has failed, and nothing that it started lives on."""
    script = f"(setsid sleep 1000 & echo $! > {tmp_path}/pid); sleep 1000"
    measurement = BARE.measure(["sh", "-c", script], tmp_path, tmp_path / "scratch", 1)
    assert measurement == Measurement(None, "gave up after 1 s")
    assert not is_alive(int((tmp_path / "pid").read_text()))


def is_alive(pid: int) -> bool:
    """Whether a process exists that has not ended."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_litter_of_a_tool_is_removed(tmp_path: Path) -> None:
    """What a tool leaves in the working directory is not there at the next tool's turn."""
    tool = Tool("cde", "cde", Path(), lambda _: ["touch", "cde.options"], (), litter=("cde.options",))
    assert tool.measure(["kept"], tmp_path, tmp_path / "scratch", 10).failure == ""
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_marked_processes_are_found_by_their_mark_alone() -> None:
    """Only what was started with a mark is found by it, and killed with it."""
    environment, other = make_mark(), make_mark()
    with subprocess.Popen(["sleep", "1000"], env=environment) as ours, subprocess.Popen(["cat"], env=other, stdin=-1):
        assert find_marked(environment) == [ours.pid]
        kill_marked(environment)
        assert ours.wait() == -9
        assert len(find_marked(other)) == 1
        kill_marked(other)


PREPARABLE = [row for row in REP24 if not row.heavy]


@pytest.mark.parametrize("row", PREPARABLE, ids=lambda row: row.name)
def test_data_is_the_same_every_time(row: Workload, tmp_path: Path) -> None:
    """Two preparations of a row write the same files with the same content."""
    if row.name == "checkout" and not shutil.which("git"):
        pytest.skip("needs the command git")
    contents = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        row.prepare(folder, 60)
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
        contents.append({path.relative_to(folder): path.read_bytes() for path in paths})
    assert contents[0] == contents[1]


def test_http_load_answers_every_request(tmp_path: Path) -> None:
    """The load on the loopback ends by itself, with status 0 when all requests were answered."""
    if not shutil.which("ab"):
        pytest.skip("needs the command ab")
    (row,) = [row for row in REP24 if row.name == "http-python"]
    row = row.scaled(200)
    row.prepare(tmp_path, row.size)
    (tmp_path / "out").mkdir()
    assert BARE.measure(row.argv(sys.executable), tmp_path, tmp_path / "scratch", 60).failure == ""


def test_scaling_is_measured(tmp_path: Path) -> None:
    """A row of --scaling has bare and traced time, the tracer's peak memory, and memory a path beyond an idle one's."""
    scale = scaling.Scale(4_000_000, 2_000_000).scaled(10**9)
    assert scale == scaling.Scale(1_000, 1_000)
    program = compile_program(scaling.SOURCE, tmp_path)
    tracer = write_fake_tracer(tmp_path)
    cost = scaling.measure_scale(program, [str(tracer)], scale, tmp_path)
    assert cost.program == 0.5
    assert min(cost.seconds, cost.bare, cost.peak, cost.idle) > 0
    assert cost.trace == len("trace")
    assert "| 1,000 | 1,000 |" in scaling.format_scaling([scale], [cost])


def write_fake_tracer(folder: Path) -> Path:
    """Write a tracer that traces nothing: -d DIRECTORY -- COMMAND."""
    fake, parts = folder / "fake", json.dumps({"start": 0, "program": 0.5, "finish": 0})
    fake.write_text(
        f"#!/bin/sh\nmkdir $2; printf trace > $2/trace; echo '{parts}' > $RTRACE_TIMINGS; shift 3; \"$@\"\n"
    )
    fake.chmod(0o755)
    return fake


@pytest.mark.skipif(platform.machine() != "x86_64", reason="floor.c knows the system calls of x86-64 only")
def test_the_kernels_share_lets_the_program_be(tmp_path: Path) -> None:
    """The program that asks the kernel what rtrace asks it passes on what the traced program does, forks included."""
    floor = compile_program(Path(programs.__file__).with_name("floor.c"), tmp_path)
    script = "for number in 1 2 3; do /bin/echo $number; done; cat /no/such/file 2>/dev/null || exit 7"
    done = subprocess.run([floor, "sh", "-c", script], check=False, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (7, "1\n2\n3\n")


@pytest.mark.requires("strace", "zstd")
def test_packing_is_measured_beside_tar(tmp_path: Path) -> None:
    """A few files are packed and unpacked by both, and what `list` and `extract` read is counted."""
    material = packing.Material("a few files", packing.make_small, 20)
    (row,) = packing.run_packing(Path(sys.executable).with_name("rtrace"), [material], tmp_path, 1)
    assert (row.files, len(row.turns)) == (20, 4)
    assert all(turn.seconds > 0 for turns in row.turns.values() for turn in turns)
    assert 0 < row.listed < row.bundle
    assert 1 << 10 <= row.fetched <= row.bundle
    assert list(tmp_path.iterdir()) == []
    assert packing.format_packing([material], [row]).count("a few files") == 3


@pytest.mark.requires("postgresql")
def test_a_history_is_measured_on_both_stores(tmp_path: Path, checkout: Path) -> None:
    """The table has a line for each command, with figures of SQLite and PostgreSQL."""
    lines = history.measure_history(checkout, tmp_path, quick=True).splitlines()
    assert lines[0].startswith("100 runs of 1,000 files")
    assert lines[2] == "| | SQLite | PostgreSQL |"
    (blame,) = [line for line in lines if line.startswith("| `blame` |")]
    assert re.fullmatch(r"(\| [^|]+ ){1}(\| [\d.]+, [\d.]+, [\d.]+ ){2}\|", blame)
