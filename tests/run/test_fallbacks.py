"""What happens where the kernel refuses what rtrace would rather use: another way, or one sentence before any run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from observing import Observation, run_rtrace

SOURCE = Path(__file__).parents[2] / "fixtures" / "programs" / "deny.c"
SECCOMP, PTRACE, PIDFD_GETFD = 317, 101, 438  # x86-64

Deny = Callable[..., "subprocess.CompletedProcess[bytes]"]

pytestmark = pytest.mark.requires("gcc")


@pytest.fixture(scope="session")
def deny(tmp_path_factory: pytest.TempPathFactory) -> Deny:
    """Run rtrace where some system calls are refused with EPERM."""
    program = tmp_path_factory.mktemp("deny") / "deny"
    subprocess.run(["gcc", "-O0", "-o", program, SOURCE], check=True)

    def run(numbers: tuple[int, ...], *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        refused = ",".join(map(str, numbers))
        command = [program, refused, sys.executable, "-m", "rtrace", *arguments]
        return subprocess.run(command, check=False, capture_output=True, timeout=60)

    return run


def test_first_choice_is_notification(tmp_path: Path) -> None:
    """On this kernel, calls come by seccomp notification unless something is in the way."""
    completed = run_rtrace("trace", "-q", "-d", tmp_path / "trace", "true")
    assert completed.returncode == 0, completed.stderr
    (run,) = Observation(completed, tmp_path / "trace").rows("SELECT engine FROM runs")
    assert run["engine"] == "notify"


def test_without_seccomp_every_call_stops(deny: Deny, tmp_path: Path) -> None:
    """Where seccomp(2) is refused, plain ptrace stops tell of the calls, and the trace holds the same."""
    completed = deny((SECCOMP,), "trace", "-q", "-d", tmp_path / "trace", "sh", "-c", f"cat '{SOURCE}' | wc -l; exit 3")
    assert completed.returncode == 3, completed.stderr
    observation = Observation(completed, tmp_path / "trace")
    assert [row["engine"] for row in observation.rows("SELECT engine FROM runs")] == ["stops"]
    assert bytes(SOURCE.resolve()) in observation.uses()


def test_what_was_tried_is_told_to_who_debugs(deny: Deny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log names the engines that were refused and why, the one that is used, and what became of what is changed."""
    monkeypatch.setenv("RTRACE_LOG", str(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "changed").write_text("before")
    completed = deny((SECCOMP,), "trace", "-q", "-d", tmp_path / "trace", "sh", "-c", "echo after >>changed")
    assert completed.returncode == 0, completed.stderr
    told = (tmp_path / "log").read_text()
    assert "loop.launch: the engine notify was refused (Operation not permitted)\n" in told
    assert "loop.launch: the engine seccomp was refused (Operation not permitted)\n" in told
    assert "loop.launch: the program waits under the engine stops\n" in told
    assert f"books.snapshots: {tmp_path}/changed: " in told


@pytest.mark.parametrize("engine", ["", "notify", "seccomp", "stops"])
def test_every_engine_traces_where_no_descriptor_may_be_taken(
    engine: str, deny: Deny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pidfd_getfd(2) alone is refused, as by Docker's defaults, every engine works as it does elsewhere."""
    monkeypatch.setenv("RTRACE_ENGINE", engine)
    script = f"cat '{SOURCE}' | wc -l; exit 3"
    completed = deny((PIDFD_GETFD,), "trace", "-q", "-d", tmp_path / "trace", "sh", "-c", script)
    assert (completed.returncode, completed.stderr) == (3, b"")
    observation = Observation(completed, tmp_path / "trace")
    assert [row["engine"] for row in observation.rows("SELECT engine FROM runs")] == [engine or "notify"]
    assert bytes(SOURCE.resolve()) in observation.uses()


def test_without_ptrace_nothing_is_run(deny: Deny, tmp_path: Path) -> None:
    """Where ptrace(2) is refused, one sentence names what to change, nothing was run and nothing is left behind."""
    completed = deny((PTRACE,), "trace", "-d", tmp_path / "trace", "touch", tmp_path / "ran")
    assert completed.returncode == 125
    assert completed.stderr.count(b"\n") == 1, completed.stderr
    assert b"--cap-add=SYS_PTRACE" in completed.stderr or b"ptrace_scope" in completed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.requires("strace")
def test_a_traced_tracer_names_its_tracer(tmp_path: Path) -> None:
    """Under strace, which traces rtrace's children already, one sentence says that rtrace is being traced."""
    rtrace = [sys.executable, "-m", "rtrace", "trace", "-d", str(tmp_path / "trace"), "true"]
    command = ["strace", "-f", "-o", str(tmp_path / "log"), *rtrace]
    completed = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert completed.returncode == 125
    assert b"rtrace is itself being traced, by process " in completed.stderr
    assert not (tmp_path / "trace").exists()


def test_unknown_engine_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RTRACE_ENGINE with a name that there is none of is wrong usage, and the sentence lists the names."""
    monkeypatch.setenv("RTRACE_ENGINE", "magic")
    completed = run_rtrace("trace", "-d", tmp_path / "trace", "true")
    assert completed.returncode == 2
    assert b"set it to one of: notify, seccomp, stops" in completed.stderr
    assert not (tmp_path / "trace").exists()
