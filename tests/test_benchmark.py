"""The benchmark's report: medians, ratios, and what it says when a tool failed."""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import killing, packing, programs, report, scaling
from benchmark.__main__ import ROWS, choose_rows, parse_arguments
from benchmark.descendants import find_marked, kill_marked, make_mark
from benchmark.programs import compile_program
from benchmark.rep24 import PUBLISHED, REP24, published_mean
from benchmark.tools import BARE, Measurement, Tool, find_tools, median, median_parts
from benchmark.workloads import WORKLOADS, Workload

ROW = WORKLOADS[1].scaled(10)
FAILING = Tool("rtrace", "rtrace trace", Path("rtrace"), lambda _: ["sh", "-c", "echo no such luck >&2; exit 125"], ())


def test_median_is_none_when_one_run_failed() -> None:
    """A tool that failed once has no figure: a median of what went well would flatter it."""
    assert median([Measurement(1.0), Measurement(3.0), Measurement(2.0)]) == 2.0
    assert median([Measurement(1.0), Measurement(None, "exit status 1")]) is None
    assert median([]) is None


def test_parts_are_medians_of_their_own() -> None:
    """Start, program and finish are each the median over the rounds, whichever round that was."""
    parts = [Measurement(6.0, parts=numbers) for numbers in ((1.0, 4.0, 1.0), (2.0, 2.0, 2.0), (3.0, 3.0, 0.0))]
    assert median_parts(parts) == (2.0, 3.0, 1.0)


def test_results_are_a_table_with_ratios_to_bare() -> None:
    """Each cell has seconds and how many times bare; a tool that failed is called failed."""
    results = {
        (ROW.name, "bare"): [Measurement(2.0)],
        (ROW.name, "rtrace"): [Measurement(3.0)],
        (ROW.name, "strace"): [Measurement(None, "exit status 1: no")],
    }
    tools = [Tool(name, name, Path(), lambda _: [], ()) for name in ("bare", "rtrace", "strace")]
    assert report.format_results([ROW], tools, results).splitlines() == [
        "| workload | bare | rtrace | strace |",
        "|---|---|---|---|",
        "| 200 x /bin/true from bash | 2.00 s | 3.00 s (x 1.50) | failed |",
    ]
    assert report.format_failures(results) == "- strace failed at processes: exit status 1: no"


def test_parts_are_a_table_of_their_own() -> None:
    """The program's own time under rtrace stands beside bare's; without timings there is no table."""
    results = {(ROW.name, "bare"): [Measurement(2.0)], (ROW.name, "rtrace"): [Measurement(4.0, parts=(0.2, 3.0, 0.8))]}
    assert report.format_parts([ROW], results).splitlines()[2:] == [
        "| 200 x /bin/true from bash | 0.20 s | 3.00 s | 0.80 s | x 1.50 |"
    ]
    assert report.format_parts([ROW], {}) == ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_commands_are_filled_in(row: Workload) -> None:
    """No command keeps a placeholder."""
    words = row.argv("python3")
    assert not any("{size}" in word or "{python}" in word for word in words)
    assert len({row.name for row in ROWS}) == len(ROWS)


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
    """Tell whether a process exists that has not ended."""
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


def test_care_is_kept_from_its_own_crash(tmp_path: Path) -> None:
    """CARE runs without its seccomp acceleration, of which it dies on recent kernels."""
    (care,) = [tool for tool in find_tools(tmp_path) if tool.name == "care"]
    assert care.environment == (("PROOT_NO_SECCOMP", "1"),)


def test_means_stand_beside_the_published_ones() -> None:
    """Rtrace's mean is of the program's own time; each tool has the published mean of the same classes beside it."""
    rows = [row for row in REP24 if row.name in {"tar", "copy"}]
    results = {
        ("tar", "bare"): [Measurement(1.0)],
        ("copy", "bare"): [Measurement(1.0)],
        ("tar", "rtrace"): [Measurement(3.0, parts=(0.5, 2.0, 0.5))],
        ("copy", "rtrace"): [Measurement(12.0, parts=(2.0, 8.0, 2.0))],
        ("tar", "care"): [Measurement(2.0)],
        ("copy", "care"): [Measurement(None, "exit status 1")],
    }
    tools = [Tool(name, name, Path(), lambda _: [], ()) for name in ("bare", "rtrace", "care")]
    assert report.format_means(rows, tools, results).splitlines()[2:] == [
        "| rtrace, its program | x 4.00 (2 of 2 rows) | - | - |",
        "| rtrace, in all | x 6.00 (2 of 2 rows) | - | - |",
        "| care | x 2.00 (1 of 2 rows) | x 3.60 | x 1.45 |",
        "| strace | - | x 3.20 | x 1.66 |",
        "| rr | - | x 3.04 | x 2.46 |",
        "| reprozip | - | x 11.89 | x 2.93 |",
    ]
    assert report.format_means([ROW], tools, results) == ""


def test_every_class_has_published_figures() -> None:
    """Each row of the group names a class of the published table, and each class has a row."""
    assert {row.kind for row in REP24} == set(PUBLISHED)
    assert published_mean("rtrace", set(PUBLISHED)) is None


def test_heavy_rows_are_asked_for() -> None:
    """LaTeX and BLAST are left out unless --heavy is there; asking for one without it is wrong usage."""
    assert not [row for row in choose_rows(parse_arguments(["."])) if row.heavy]
    chosen = choose_rows(parse_arguments([".", "--heavy", "--group", "rep24"]))
    assert [row.name for row in chosen] == [row.name for row in REP24]
    with pytest.raises(SystemExit, match="2"):
        parse_arguments([".", "--only", "blast"])


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


def test_loss_is_the_age_of_the_oldest_missing_line() -> None:
    """What is missing from a killed run's trace is dated by the oldest of it; later lines do not make it younger."""
    logged = killing.parse_log(
        "1000000000 made/0\n1500000000 made/1\n1900000000 made/2\n9000000000 made/3\n", 2 * 10**9
    )
    killed = killing.compare(logged, frozenset({b"made/0", b"made/2"}), begun=0, killed=2 * 10**9, integrity="ok")
    assert killed == killing.Killed(after=2.0, logged=3, missing=1, loss=0.5, integrity="ok")
    assert killed.passed
    late = killing.compare([(1, b"x")], frozenset(), begun=0, killed=2 * 10**9, integrity="ok")
    assert not late.passed
    assert "1 of 2 passed" in killing.format_killing([killed, late])


def test_broken_database_is_a_failure(tmp_path: Path) -> None:
    """A trace that does not open has nothing in it, and fails whatever was logged."""
    (tmp_path / "trace.sqlite3").write_bytes(b"no database" * 100)
    traced, integrity = killing.read_trace(tmp_path / "trace.sqlite3", tmp_path)
    assert (traced, integrity) == (frozenset(), "file is not a database")
    assert not killing.compare([], traced, begun=0, killed=1, integrity=integrity).passed


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
