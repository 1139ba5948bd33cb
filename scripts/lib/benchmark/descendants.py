"""Find the processes that a command left, by a mark in their environment, and end them and nothing else."""

import contextlib
import os
import signal
import uuid
from pathlib import Path

MARK = "RTRACE_BENCH_MARK"


def make_mark() -> dict[str, str]:
    """Return an environment with a mark of its own, which the command's descendants inherit."""
    return {**os.environ, MARK: uuid.uuid4().hex}


def find_marked(environment: dict[str, str]) -> list[int]:
    """Return the ids of the living processes that have this mark."""
    line = f"{MARK}={environment[MARK]}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if line in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def describe(pid: int) -> str:
    """Return what a process is and what it waits for, as far as proc(5) tells."""
    facts = [str(pid)]
    for name in ("comm", "wchan", "syscall"):
        with contextlib.suppress(OSError):
            facts.append((Path("/proc") / str(pid) / name).read_text().strip())
    with contextlib.suppress(OSError, IndexError):
        facts.append("state " + (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0])
    return ", ".join(facts)


def kill_marked(environment: dict[str, str]) -> None:
    """Kill all that have this mark, again and again until none begins any more."""
    while pids := find_marked(environment):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
