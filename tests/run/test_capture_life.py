"""The life of a run: how processes begin, execute, get signals and end, and how the tracer itself ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from observing import Observation, observe, run_rtrace

STATUSES = {
    "exit 0": 0,
    "exit 3": 3,
    "exit 255": 255,
    "kill -KILL $$": 128 + 9,
    "kill -TERM $$": 128 + 15,
    "kill -SEGV $$": 128 + 11,
    "(exit 4); exit 5": 5,
}


@pytest.mark.parametrize("script", STATUSES)
def test_exit_status_is_the_programs(script: str, tmp_path: Path) -> None:
    """`rtrace trace` exits as a shell would show the program's end, and the trace holds the same."""
    observation = observe(tmp_path / "trace", "sh", "-c", script)
    assert observation.completed.returncode == STATUSES[script]
    (run,) = observation.rows("SELECT exit_code, signal, finished FROM runs")
    assert STATUSES[script] == (128 + run["signal"] if run["signal"] else run["exit_code"])
    assert run["finished"] is not None


def test_missing_command_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """A command that is not found gives 127 and one sentence; an older trace that was to be overwritten is intact."""
    trace = tmp_path / "trace"
    assert observe(trace, "true").completed.returncode == 0
    before = (trace / "trace.sqlite3").read_bytes()
    completed = run_rtrace("trace", "--overwrite", "-d", trace, "no-such-command")
    assert completed.returncode == 127
    assert completed.stderr == b"rtrace: no-such-command is not in PATH; check its name\n"
    assert (trace / "trace.sqlite3").read_bytes() == before
    completed = run_rtrace("trace", "-d", tmp_path / "fresh", "./no-such-command", cwd=tmp_path)
    assert completed.returncode == 127
    assert sorted(os.listdir(tmp_path)) == ["trace"]


def test_file_without_execute_permission_is_126(tmp_path: Path) -> None:
    """A file that is not executable gives 126, and the sentence says how to make it so."""
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    completed = run_rtrace("trace", "-d", tmp_path / "trace", "./run.sh", cwd=tmp_path)
    assert completed.returncode == 126
    assert completed.stderr == b"rtrace: ./run.sh is not executable; `chmod +x ./run.sh` makes it executable\n"
    assert not (tmp_path / "trace").exists()


def test_program_without_its_interpreter_is_told_why(tmp_path: Path) -> None:
    """The kernel calls such a program missing. What is missing is named, also a name that ends in Windows' CR."""
    (tmp_path / "two words.sh").write_bytes(b"#!/bin/sh\r\necho hello\r\n")
    (tmp_path / "lost.sh").write_bytes(b"#! /nowhere/python3\t-u\n")
    program = Path(os.path.realpath("/bin/true")).read_bytes()
    (tmp_path / "program").write_bytes(program.replace(b"/ld-linux", b"/ld-nowhr"))
    for name, told in (
        ("two words.sh", "its first line ends as on Windows, in CR LF; `sed -i 's/\\r$//' './two words.sh'` makes"),
        ("lost.sh", "it needs /nowhere/python3, which is not there; install what has that"),
        ("program", "/ld-nowhr"),
    ):
        (tmp_path / name).chmod(0o755)
        completed = run_rtrace("trace", "-d", tmp_path / "trace", f"./{name}", cwd=tmp_path)
        assert (completed.returncode, (tmp_path / "trace").exists()) == (126, False)
        assert told in completed.stderr.decode(), name


def test_script_without_interpreter_line_runs_in_the_shell(tmp_path: Path) -> None:
    """Executable text without a #! line is run by /bin/sh, as execvp(3) and every shell do."""
    script = tmp_path / "run.sh"
    script.write_text("echo $1; exit 6\n")
    script.chmod(0o755)
    observation = observe(tmp_path / "trace", "./run.sh", "argument", cwd=tmp_path)
    assert (observation.completed.returncode, observation.completed.stdout) == (6, b"argument\n")


def test_existing_trace_directory_is_not_touched(tmp_path: Path) -> None:
    """Without --continue or --overwrite an existing trace directory is refused in one sentence that names both."""
    trace = tmp_path / "trace"
    observe(trace, "true")
    before = (trace / "trace.sqlite3").read_bytes()
    completed = run_rtrace("trace", "-d", trace, "true")
    assert completed.returncode == 125
    assert b"exists already; use --continue" in completed.stderr
    assert completed.stderr.count(b"\n") == 1
    assert (trace / "trace.sqlite3").read_bytes() == before


def test_overwrite_refuses_what_is_no_trace(tmp_path: Path) -> None:
    """--overwrite does not remove a folder that holds something else."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("precious")
    completed = run_rtrace("trace", "--overwrite", "-d", tmp_path / "precious", "true")
    assert completed.returncode == 125
    assert (tmp_path / "precious/file").read_text() == "precious"


def test_continue_adds_a_run(tmp_path: Path) -> None:
    """--continue keeps the earlier runs, their paths and their processes, and adds one."""
    trace = tmp_path / "trace"
    observe(trace, "sh", "-c", "exit 1")
    completed = run_rtrace("trace", "-q", "--continue", "-d", trace, "sh", "-c", "exit 2")
    assert completed.returncode == 2
    rows = Observation(completed, trace).rows("SELECT name, exit_code FROM runs ORDER BY id")
    assert [(row["name"], row["exit_code"]) for row in rows] == [("run1", 1), ("run2", 2)]
    counts = Observation(completed, trace).rows("SELECT run, count(*) AS n FROM processes GROUP BY run")
    assert [(row["run"], row["n"]) for row in counts] == [(1, 1), (2, 1)]


def test_process_tree_has_parents_and_ends(tmp_path: Path) -> None:
    """Each process is there with its parent and its own end, threads apart from processes."""
    program = "import os, threading; threading.Thread(target=int).start(); os._exit(0) if os.fork() else os._exit(7)"
    observation = observe(tmp_path / "trace", "sh", "-c", f'"{sys.executable}" -S -c "{program}"; (exit 9); true')
    rows = observation.rows("SELECT id, parent, is_thread, exit_code FROM processes ORDER BY id")
    processes = [row for row in rows if not row["is_thread"]]
    shell, python, child, subshell = processes
    assert (shell["parent"], python["parent"], subshell["parent"]) == (None, shell["id"], shell["id"])
    assert child["parent"] == python["id"]
    assert [row["exit_code"] for row in processes] == [0, 0, 7, 9]
    assert [row["parent"] for row in rows if row["is_thread"]] == [python["id"]]


def test_executions_hold_bytes(tmp_path: Path) -> None:
    """Arguments, environment and working directory are kept byte for byte, in their order."""
    odd = b"caf\xe9 \xff\n'\""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/w\xfe"))
    folder.mkdir()
    environ = {b"PATH": os.environb[b"PATH"], b"ODD": odd, b"EMPTY": b"", b"BIG": b"x" * 100_000, b"B2": b"y" * 100_000}
    observation = observe(tmp_path / "trace", "/bin/echo", odd, b"", cwd=folder, env=environ)
    assert observation.completed.returncode == 0, observation.completed.stderr
    (run,) = observation.rows("SELECT argv, environ, workingdir FROM runs")
    assert run["argv"] == b"/bin/echo\0" + odd + b"\0\0"
    assert run["workingdir"] == os.fsencode(folder)
    assert run["environ"] == b"".join(name + b"=" + value + b"\0" for name, value in environ.items())
    (execution,) = observation.rows(
        "SELECT e.argv, v.content FROM executions e JOIN environments v ON v.id = e.environment"
    )
    assert execution["argv"] == run["argv"]
    assert execution["content"] == run["environ"]


def test_interpreters_are_uses_of_the_kernel(tmp_path: Path) -> None:
    """The ELF interpreter and a chain of #! interpreters are there as executed, though no call names them."""
    (tmp_path / "inner").write_text("#!/bin/sh\necho inner $1\n")
    (tmp_path / "outer").write_text(f"#!{tmp_path}/inner\n")
    for name in ("inner", "outer"):
        (tmp_path / name).chmod(0o755)
    observation = observe(tmp_path / "trace", tmp_path / "outer")
    assert observation.completed.stdout == b"inner " + os.fsencode(tmp_path / "outer") + b"\n"
    uses = observation.uses()
    for path in (tmp_path / "inner", tmp_path / "outer", Path(os.path.realpath("/bin/sh"))):
        assert uses[os.fsencode(path)] & 64, path
    loader = next(path for path in uses if b"/ld-linux" in path and uses[path] & 64)
    assert os.path.isfile(loader)


def test_program_gets_default_signals_and_no_extra_descriptors(tmp_path: Path) -> None:
    """The traced program starts with SIGPIPE at its default, the standard descriptors only, and no new variables."""
    script = "grep SigIgn /proc/self/status; ls /proc/self/fd | wc -l; env"
    bare = subprocess.run(["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", script], capture_output=True, check=True)
    observation = observe(tmp_path / "trace", "sh", "-c", script, env={"PATH": "/usr/bin:/bin"})
    traced = observation.completed.stdout.splitlines()
    assert bare.stdout.splitlines() == traced


def test_daemon_is_waited_for(tmp_path: Path) -> None:
    """What a daemon reads after its parents ended is in the trace."""
    (tmp_path / "late").write_text("late\n")
    observation = observe(tmp_path / "trace", "sh", "-c", "(setsid sh -c 'sleep 0.2; cat late > out' &)", cwd=tmp_path)
    assert observation.completed.returncode == 0
    assert (tmp_path / "out").read_text() == "late\n"
    assert os.fsencode(tmp_path / "late") in observation.uses()


CLEANING = """
import signal, sys
def clean(*_):
    print("cleaned", flush=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, clean)
print("begun", flush=True)
signal.pause()
"""


def test_sigterm_is_passed_on(tmp_path: Path) -> None:
    """SIGTERM to the tracer reaches the program, which may clean up; its exit status is the tracer's."""
    program = (sys.executable, "-S", "-c", CLEANING)
    command = [sys.executable, "-m", "rtrace", "trace", "-d", str(tmp_path / "trace"), "--", *program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"begun\n"
        tracer.send_signal(signal.SIGTERM)
        output, _ = tracer.communicate(timeout=60)
    assert (output, tracer.returncode) == (b"cleaned\n", 5)


def test_killed_tracer_leaves_a_trace_of_all_up_to_a_second_before(tmp_path: Path) -> None:
    """After SIGKILL of the tracer the database opens, and holds what the program did until about a second before."""
    script = "cat one > /dev/null; echo begun; while :; do cat two > /dev/null; sleep 0.1; done"
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    command = [sys.executable, "-m", "rtrace", "trace", "-d", str(tmp_path / "trace"), "--", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as tracer:
        try:
            assert tracer.stdout is not None
            assert tracer.stdout.readline() == b"begun\n"
            deadline = time.monotonic() + 20
            observation = Observation.of_running(tmp_path / "trace")
            while os.fsencode(tmp_path / "two") not in observation.uses():
                assert time.monotonic() < deadline
        finally:
            tracer.kill()
    assert os.fsencode(tmp_path / "one") in observation.uses()
    (run,) = observation.rows("SELECT finished, exit_code FROM runs")
    assert (run["finished"], run["exit_code"]) == (None, None)
