"""Signals to a traced run: none that can be caught ends the tracer, and the program gets each of them once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

STOPPING = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
UNCATCHABLE = {signal.SIGKILL, signal.SIGSTOP}
DROPPED = {signal.SIGCHLD}
SOME = [signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM, signal.SIGTERM, signal.SIGIO, signal.SIGRTMIN + 3]
ENGINES = ("notify", "seccomp", "stops")
PROGRAM = """\
import os, signal, sys

log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in map(int, sys.argv[1:]):
    signal.signal(number, lambda number, _: os.write(log, b"%d " % number))
os.mkfifo("end")
os.write(log, b"ready ")
open("end").read()
sys.exit(7)
"""
LATE = 60
"""Seconds after which a test gives up."""


class Run:
    """A run of a program that writes down the signals that it gets."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder

    def words(self) -> list[str]:
        """Return what the program wrote down."""
        log = self.folder / "log"
        return log.read_text().split() if log.exists() else []

    def has_heard(self, count: int) -> bool:
        """Whether the program has got so many signals."""
        return len(self.words()) == 1 + count

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for something that is to happen."""
        deadline = time.monotonic() + LATE
        while not condition():
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < deadline, self.words()
            time.sleep(0.01)

    def wait_for(self, number: int) -> None:
        """Wait until the program has got a signal."""
        self.wait_until(lambda: str(int(number)) in self.words())

    def end(self) -> list[str]:
        """Let the program end, and return what it wrote down; its exit status is rtrace's."""
        (self.folder / "end").write_text("")
        assert self.process.wait(LATE) == 7
        assert self.words()[0] == "ready"
        return self.words()[1:]


@contextmanager
def traced(folder: Path, numbers: Iterable[int], *options: str, engine: str = "notify") -> Iterator[Run]:
    """Trace a program that handles these signals, in a process group of its own."""
    names = ",".join(signal.Signals(number).name[3:] for number in (1, 2, 3, 15))
    argv = ["env", f"--default-signal={names}", sys.executable, "-m", "rtrace", "trace", "-q", *options]
    argv += [sys.executable, "-c", PROGRAM, *(str(int(number)) for number in numbers)]
    environment = {**os.environ, "RTRACE_ENGINE": engine}
    with subprocess.Popen(argv, cwd=folder, env=environment, preexec_fn=lambda: os.setpgid(0, 0)) as process:  # noqa: PLW1509
        run = Run(process, folder)
        try:
            run.wait_until(run.words)
            yield run
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("options", [(), ("--detach-daemons",)], ids=["", "detached"])
def test_every_signal_to_rtrace_alone_is_passed_on(tmp_path: Path, options: tuple[str, ...]) -> None:
    """As timeout(1), Slurm and kill(1) send it: whichever it is, the program gets it once, and ends as it wants to."""
    numbers = sorted(signal.valid_signals() - UNCATCHABLE - STOPPING - DROPPED)
    with traced(tmp_path, numbers, *options) as run:
        for number in numbers:
            run.process.send_signal(number)
            run.wait_for(number)
        assert run.end() == [str(int(number)) for number in numbers]


@pytest.mark.parametrize("options", [(), ("--detach-daemons",)], ids=["", "detached"])
@pytest.mark.parametrize("engine", ENGINES)
def test_signal_to_the_group_comes_once(tmp_path: Path, engine: str, options: tuple[str, ...]) -> None:
    """Of a signal to the whole group the program has its own copy: rtrace passes none on."""
    with traced(tmp_path, [*SOME, signal.SIGUSR2], *options, engine=engine) as run:
        for number in SOME:
            os.killpg(run.process.pid, number)
            run.wait_for(number)
        run.process.send_signal(signal.SIGUSR2)  # passed on after all that could have been passed on before
        run.wait_for(signal.SIGUSR2)
        assert sorted(run.end()) == sorted(str(int(number)) for number in [*SOME, signal.SIGUSR2])


def test_a_second_signal_is_not_made_worse(tmp_path: Path) -> None:
    """A program that handles SIGTERM decides how often it wants to hear it."""
    with traced(tmp_path, [signal.SIGTERM]) as run:
        for heard in range(1, 4):
            run.process.send_signal(signal.SIGTERM)
            run.wait_until(partial(run.has_heard, heard))
        assert run.end() == ["15"] * 3


def test_blocked_signal_of_the_group_is_not_doubled(tmp_path: Path) -> None:
    """What a program blocks waits for it once, as it would have done without rtrace."""
    script = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: print("got it", flush=True))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
os.killpg(0, signal.SIGUSR1)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
"""
    argv = [sys.executable, "-m", "rtrace", "trace", "-q", sys.executable, "-c", script]
    done = subprocess.run(argv, cwd=tmp_path, start_new_session=True, capture_output=True, check=False, timeout=LATE)
    assert (done.returncode, done.stdout) == (0, b"got it\n")


@pytest.mark.parametrize("to", ["rtrace", "group"])
def test_run_stops_and_goes_on_as_one_job(tmp_path: Path, to: str) -> None:
    """SIGTSTP stops rtrace with the program, and SIGCONT lets both go on."""
    with traced(tmp_path, [signal.SIGUSR2]) as run:
        send = os.kill if to == "rtrace" else os.killpg
        send(run.process.pid, signal.SIGTSTP)
        stopped = os.waitid(os.P_PID, run.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert stopped is not None
        assert (stopped.si_code, stopped.si_status) == (os.CLD_STOPPED, signal.SIGTSTP)
        send(run.process.pid, signal.SIGCONT)
        run.process.send_signal(signal.SIGUSR2)
        run.wait_for(signal.SIGUSR2)
        assert run.end() == [str(int(signal.SIGUSR2))]


def test_program_that_goes_on_is_not_stopped(tmp_path: Path) -> None:
    """Where the program handles SIGTSTP, rtrace does not stop either."""
    with traced(tmp_path, [signal.SIGTSTP, signal.SIGUSR2]) as run:
        os.killpg(run.process.pid, signal.SIGTSTP)
        run.wait_for(signal.SIGTSTP)
        run.process.send_signal(signal.SIGUSR2)
        run.wait_for(signal.SIGUSR2)
        assert run.end() == [str(int(signal.SIGTSTP)), str(int(signal.SIGUSR2))]


def test_what_follows_on_a_stop_that_did_not_come_is_not_doubled(tmp_path: Path) -> None:
    """While rtrace waits whether the program stops, what else comes to the group is known to have come there, too."""
    with traced(tmp_path, [signal.SIGTSTP, signal.SIGUSR1, signal.SIGUSR2]) as run:
        os.killpg(run.process.pid, signal.SIGTSTP)
        run.wait_for(signal.SIGTSTP)
        os.killpg(run.process.pid, signal.SIGUSR1)
        run.wait_for(signal.SIGUSR1)
        run.process.send_signal(signal.SIGUSR2)
        run.wait_for(signal.SIGUSR2)
        assert run.end() == [str(int(number)) for number in (signal.SIGTSTP, signal.SIGUSR1, signal.SIGUSR2)]


def test_signal_reaches_what_outlives_the_command(tmp_path: Path) -> None:
    """When rtrace waits for a process that the command left behind, that gets what is sent to rtrace."""
    script = "trap 'echo left' TERM; echo ready > log; mkfifo end; read line < end"
    (tmp_path / "daemon.sh").write_text(script)
    argv = [sys.executable, "-m", "rtrace", "trace", "-q", "sh", "-c", "setsid sh daemon.sh & exit 7"]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        run = Run(process, tmp_path)
        try:
            run.wait_until((tmp_path / "end").exists)
            assert process.stderr is not None
            assert b"waiting for" in process.stderr.readline()
            process.terminate()
            output, _ = process.communicate(timeout=LATE)
        finally:
            if process.poll() is None:
                process.kill()
    assert (process.returncode, output) == (7, b"left\n")


SHOW = ("grep", "Sig[BI]", "/proc/self/status")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ignored", ["", "PIPE", "XFSZ", "HUP INT QUIT TERM", "USR1 TSTP CHLD RTMIN+1 PIPE XFSZ"])
def test_program_finds_ignored_what_rtrace_did(tmp_path: Path, ignored: str, engine: str) -> None:
    """Every signal is ignored or not, blocked or not, as it is without rtrace."""
    script = f'{"trap : 0; " if not ignored else f"trap {chr(39) * 2} {ignored}; "}"$@"; true'
    results = [
        subprocess.run(
            ["env", "--default-signal", "--block-signal=USR2", "bash", "-c", script, "bash", *prefix, *SHOW],
            cwd=tmp_path,
            env={**os.environ, "RTRACE_ENGINE": engine},
            capture_output=True,
            check=True,
            timeout=LATE,
        ).stdout
        for prefix in ((), (sys.executable, "-m", "rtrace", "trace", "-q"))
    ]
    assert results[0] == results[1]


def test_python_ignores_for_itself_alone(tmp_path: Path) -> None:
    """A caller written in Python ignores SIGPIPE, its children do not: nor does a program that they trace."""
    argv = [sys.executable, "-m", "rtrace", "trace", "-q", *SHOW]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True, timeout=LATE)
    ignored = int(done.stdout.split(b"SigIgn:")[1].split()[0], 16)
    assert ignored >> (signal.SIGPIPE - 1) & 1 == 0
    assert ignored >> (signal.SIGXFSZ - 1) & 1 == 0


@pytest.mark.parametrize("ignored, told", [("HUP INT QUIT TSTP", False), ("PIPE USR1 RTMIN+1", True)])
def test_what_a_replay_does_not_ignore_is_told(tmp_path: Path, ignored: str, *, told: bool) -> None:
    """A replay ignores no signals: who relies on that is told, and who uses nohup is not."""
    script = f"trap '' {ignored}; \"$@\"; true"
    argv = [
        "env",
        "--default-signal",
        "bash",
        "-c",
        script,
        "bash",
        sys.executable,
        "-m",
        "rtrace",
        "trace",
        "-q",
        "true",
    ]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True, timeout=LATE)
    sentence = (
        b"rtrace: not captured: the run found SIGUSR1, SIGPIPE, SIGRTMIN+1 ignored; a replay does not; trace where it"
        b" finds none, if that matters\n"
    )
    assert done.stderr == (sentence if told else b"")
