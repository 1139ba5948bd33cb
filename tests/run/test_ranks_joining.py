"""`rtrace trace --rank`: ranks that trace themselves, joined by the last one. The launcher here is this test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from observing import Observation, run_rtrace
from waiting import wait_until


def set_rank(number: int, size: int, job: str = "7") -> dict[str, str]:
    """Return the environment of a process as Slurm starts it."""
    job_id, _, step = job.partition("-")
    names = {"SLURM_PROCID": number, "SLURM_STEP_NUM_TASKS": size, "SLURM_JOB_ID": job_id, "SLURM_STEP_ID": step or 0}
    return {**os.environ, **{name: str(value) for name, value in names.items()}}


def start_rank(folder: Path, number: int, size: int, *command: str) -> subprocess.Popen[bytes]:
    """Start one rank under a tracer."""
    return subprocess.Popen(
        [sys.executable, "-m", "rtrace", "trace", "--rank", "--", *command],
        cwd=folder,
        env=set_rank(number, size),
        stderr=subprocess.PIPE,
    )


def read_runs(directory: Path) -> list[tuple[str, int | None]]:
    """Return the names of a trace's runs and how these ended."""
    trace = Observation(subprocess.CompletedProcess([], 0), directory)
    rows = trace.rows("SELECT name, exit_code FROM runs ORDER BY id")
    return [(row["name"], row["exit_code"]) for row in rows]


def test_ranks_that_end_together_are_joined_once(tmp_path: Path) -> None:
    """Of many ranks that end at any moment one joins all, in their order, and each has its own exit status."""
    size = 12
    script = 'echo x > "out.$SLURM_PROCID"; exit "$SLURM_PROCID"'
    tracers = [start_rank(tmp_path, number, size, "sh", "-c", script) for number in range(size)]
    said = b"".join(tracer.communicate(timeout=200)[1] for tracer in tracers)
    assert [tracer.returncode for tracer in tracers] == list(range(size))
    assert read_runs(tmp_path / ".rtrace") == [(f"rank{number}", number) for number in range(size)]
    assert said.count(b"traced 12 ranks on 1 host in .rtrace") == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".rtrace")] == [".rtrace"]


def test_a_rank_sees_nothing_of_the_others_traces(tmp_path: Path) -> None:
    """While ranks run, no trace is in their working directory."""
    for number in (0, 1):
        done = run_rtrace("trace", "-q", "--rank", "sh", "-c", "ls -A > seen", cwd=tmp_path, env=set_rank(number, 2))
        assert done.returncode == 0, done.stderr
        if number == 0:
            assert (tmp_path / "seen").read_text() == "seen\n"


def test_the_ranks_answer_as_json(tmp_path: Path) -> None:
    """With --json each rank tells which one it was and who is missing, and the last one where all are."""
    answers = []
    for number in (1, 0):
        done = run_rtrace("trace", "--json", "--rank", "true", cwd=tmp_path, env=set_rank(number, 2))
        answers.append(json.loads(done.stderr.splitlines()[-1])["rank"])
    common = {"size": 2, "launcher": "Slurm", "job": "7-0"}
    assert answers == [
        {"number": 1, **common, "missing": [0], "joined": None},
        {"number": 0, **common, "missing": [], "joined": ".rtrace"},
    ]


@pytest.mark.requires("user-namespaces")
def test_tasks_that_do_not_speak_with_each_other_replay(tmp_path: Path) -> None:
    """One bundle holds all ranks, each with its own variables and results, and a replay does each again."""
    (tmp_path / "data").write_text("b\na\n")
    for number in (1, 0):
        script = 'sort data > "out.$SLURM_PROCID"'
        done = run_rtrace("trace", "-q", "--rank", "sh", "-c", script, cwd=tmp_path, env=set_rank(number, 2))
        assert done.returncode == 0, done.stderr
    assert run_rtrace("pack", "-q", "all.rpz", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", "all.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.index(b"out.0") < verified.stdout.index(b"out.1")


def test_a_rank_whose_tracer_is_killed_is_brought_in_by_hand(tmp_path: Path) -> None:
    """The others wait for it in vain; `rtrace pack` says what to do, and `rtrace combine` has what it did."""
    os.mkfifo(tmp_path / "gate")
    killed = start_rank(tmp_path, 1, 2, "sh", "-c", "echo begun > begun; read line < gate")
    wait_until((tmp_path / "begun").exists)
    other = run_rtrace("trace", "-q", "--rank", "true", cwd=tmp_path, env=set_rank(0, 2))
    assert (other.returncode, other.stderr) == (0, b"")
    wait_until(lambda: Observation.of_running(tmp_path / ".rtrace.7-0.rank-1").uses_below(tmp_path) != {})
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    packed = run_rtrace("pack", cwd=tmp_path)
    assert b"not all ranks have ended: `rtrace combine -d .rtrace .rtrace.*.rank-*`" in packed.stderr
    combined = run_rtrace("combine", ".rtrace.7-0.rank-0", cwd=tmp_path)
    assert combined.returncode == 0, combined.stderr
    assert b"rank1 was cut short" in combined.stderr
    assert read_runs(tmp_path / ".rtrace") == [("rank0", 0), ("rank1", None)]
    assert run_rtrace("pack", "-q", cwd=tmp_path).returncode == 0


def test_a_trace_that_is_there_is_replaced_on_request_alone(tmp_path: Path) -> None:
    """Ranks refuse to begin where a trace is; with --overwrite that of all takes its place, and nothing is left."""
    assert run_rtrace("trace", "-q", "false", cwd=tmp_path).returncode == 1
    refused = run_rtrace("trace", "-q", "--rank", "touch", "made", cwd=tmp_path, env=set_rank(0, 1))
    assert refused.returncode == 125
    assert b".rtrace exists already" in refused.stderr
    assert not (tmp_path / "made").exists()
    done = run_rtrace("trace", "-q", "--rank", "--overwrite", "true", cwd=tmp_path, env=set_rank(0, 1))
    assert (done.returncode, done.stderr) == (0, b"")
    assert read_runs(tmp_path / ".rtrace") == [("rank0", 0)]
    assert [path.name for path in tmp_path.iterdir()] == [".rtrace"]


def test_traces_that_cannot_be_joined_stay(tmp_path: Path) -> None:
    """When something has the name meanwhile, the last rank says what to do and keeps its exit status."""
    script = "mkdir .rtrace; exit 3"
    done = run_rtrace("trace", "-q", "--rank", "sh", "-c", script, cwd=tmp_path, env=set_rank(0, 1))
    assert done.returncode == 3
    assert b"cannot join the traces of the ranks (.rtrace exists already" in done.stderr
    assert (tmp_path / ".rtrace.7-0.rank-0").is_dir()
    assert not (tmp_path / ".rtrace.7-0.joining").exists()


@pytest.mark.parametrize(
    "options, told",
    [
        ((), b"--rank is for a process that mpirun, mpiexec or srun starts"),
        (("--continue",), b"--rank and --continue do not go together"),
        (("--detach-daemons",), b"--rank and --detach-daemons do not go together"),
    ],
)
def test_a_rank_without_a_launcher_is_wrong_usage(tmp_path: Path, options: tuple[str, ...], told: bytes) -> None:
    """Outside of a launcher, and with options that have no meaning there, one sentence says so and nothing runs."""
    done = run_rtrace("trace", "--rank", *options, "touch", "made", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_ranks_have_one_record(tmp_path: Path) -> None:
    """The history has one run for all ranks, under what was said of it, and so has the trace directory."""
    history = tmp_path / "history"
    for number in (0, 1):
        env = {**set_rank(number, 2), "RTRACE_HISTORY": str(history)}
        script = 'echo "$SLURM_PROCID" > "out.$SLURM_PROCID"'
        done = run_rtrace("trace", "-q", "--rank", "--label", "both", "sh", "-c", script, cwd=tmp_path, env=env)
        assert (done.returncode, done.stderr) == (0, b"")
    (document,) = history.glob("records/**/*.json")
    record = json.loads(document.read_bytes())
    assert record == json.loads((tmp_path / ".rtrace/records/rank0.json").read_bytes())
    assert (record["label"], record["launch"]) == ("both", "distributed")
    assert [(rank["rank"], rank["host"], rank["exit_code"]) for rank in record["ranks"]] == [
        ("0", os.uname().nodename, 0),
        ("1", os.uname().nodename, 0),
    ]
    assert {process["rank"] for process in record["processes"]} == {"0", "1"}
    assert {Path(one["path"]).name for one in record["outputs"]} == {"out.0", "out.1"}


def test_without_history_the_record_is_in_the_trace_alone(tmp_path: Path) -> None:
    """--no-history holds for the record of all ranks, too."""
    env = {**set_rank(0, 1), "RTRACE_HISTORY": str(tmp_path / "history")}
    assert run_rtrace("trace", "-q", "--rank", "--no-history", "true", cwd=tmp_path, env=env).returncode == 0
    assert not (tmp_path / "history").exists()
    assert (tmp_path / ".rtrace/records/rank0.json").is_file()


@pytest.mark.requires("root", "unshare", "hostname")
def test_hosts_are_told_apart(tmp_path: Path) -> None:
    """Ranks on two hosts with a common folder are one trace, which says where each ran."""
    rtrace = (sys.executable, "-m", "rtrace", "trace", "--rank", "true")
    others = {1: ("unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"), 0: ()}
    for number, before in others.items():
        done = subprocess.run(
            [*before, *rtrace], check=True, cwd=tmp_path, env=set_rank(number, 2), capture_output=True, timeout=100
        )
    assert b"traced 2 ranks on 2 hosts" in done.stderr
    record = json.loads((tmp_path / ".rtrace/records/rank0.json").read_bytes())
    own = os.uname().nodename
    assert [rank["host"] for rank in record["ranks"]] == [own, "elsewhere"]
    assert record["machine"]["hostname"] == own
    assert record["ranks"][1]["machine"]["hostname"] == "elsewhere"
    assert {process["host"] for process in record["processes"]} == {own, "elsewhere"}


def test_ranks_that_trace_into_one_folder_are_told_of_the_option(tmp_path: Path) -> None:
    """Without --rank the second one finds the folder taken, and the sentence says what to add."""
    for number, status in ((0, 0), (1, 125)):
        done = run_rtrace("trace", "-q", "true", cwd=tmp_path, env=set_rank(number, 2))
        assert done.returncode == status
    assert b"this is one of several ranks: with --rank each has its own" in done.stderr
