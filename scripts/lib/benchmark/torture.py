"""Run the torture program under the tracer, and compare its log with the trace: every process, every end.

fixtures/programs/torture.c says what the program does, and what it logs.
"""

import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmark.descendants import describe, find_marked, kill_marked, make_mark
from benchmark.programs import compile_program

SOURCE = Path(__file__).resolve().parents[3] / "fixtures/programs/torture.c"
PROCESSES = "SELECT id, parent, pid, is_thread, ended, exit_code, signal FROM processes"
INTERRUPTED = "as its exit status"
"""In what is said of a program that ends by itself with the status of one that a signal ended."""
SIZE = 40
TIMEOUT = 60
"""Seconds after which a tree that takes a fraction of one counts as hanging."""


@dataclass(frozen=True)
class Ending:
    """How a process ends: with an exit code, or by a signal."""

    exit_code: int | None = None
    signal: int | None = None


KILLED = Ending(signal=signal.SIGKILL)


@dataclass(frozen=True)
class Logged:
    """A process as the program logged it: its path in the tree, and how it was to end."""

    path: str
    ending: Ending


@dataclass(frozen=True)
class Log:
    """What the program wrote: processes and threads by their ids, and what it complains of."""

    processes: dict[int, Logged]
    threads: frozenset[int]
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class Traced:
    """A row of the trace's table ``processes``."""

    id: int
    parent: int | None
    pid: int
    is_thread: bool
    ended: int | None
    ending: Ending


def parse_log(text: str) -> Log:
    """Read a log. Raises ValueError when it is none, or holds the same process twice."""
    processes: dict[int, Logged] = {}
    threads, complaints = set(), []
    for line in text.splitlines():
        match line.split(" ", 4):
            case ["P", pid, path, "exit" | "signal" as how, number]:
                if int(pid) in processes:
                    raise ValueError(f"logged twice: {line}")
                ending = Ending(int(number)) if how == "exit" else Ending(signal=int(number))
                processes[int(pid)] = Logged(path, ending)
            case ["T", tid, _pid, _path]:
                threads.add(int(tid))
            case ["!", *_]:
                complaints.append(line[2:])
            case _:
                raise ValueError(f"no line of a torture log: {line}")
    return Log(processes, frozenset(threads), tuple(complaints))


def read_processes(database: Path) -> list[Traced]:
    """Read the processes and threads of a trace."""
    with closing(sqlite3.connect(database)) as connection:
        return [
            Traced(identity, parent, pid, bool(is_thread), ended, Ending(exit_code, number))
            for identity, parent, pid, is_thread, ended, exit_code, number in connection.execute(PROCESSES)
        ]


def find_differences(log: Log, traced: Iterable[Traced]) -> list[str]:
    """Say, a line each, where the trace is not what the program logged."""
    rows = list(traced)
    differences = [f"the program complains: {complaint}" for complaint in log.complaints]
    by_id = {row.id: row for row in rows}
    by_pid: dict[int, Traced] = {}
    for row in rows:
        if row.is_thread:
            continue
        if row.pid in by_pid:
            differences.append(f"process {row.pid} is in the trace twice")
        by_pid[row.pid] = row
        if row.pid not in log.processes:
            differences.append(f"process {row.pid} is in the trace, and was never logged")
    pids = {logged.path: pid for pid, logged in log.processes.items()}
    for pid, logged in log.processes.items():
        found = by_pid.get(pid)
        if found is None:
            differences.append(f"process {pid} ({logged.path}) is not in the trace")
            continue
        if found.ended is None:
            differences.append(f"process {pid} ({logged.path}) has no end in the trace")
        elif found.ending != logged.ending:
            differences.append(f"process {pid} ({logged.path}) ended as {logged.ending}, traced as {found.ending}")
        born_of = by_id[found.parent].pid if found.parent in by_id else None
        parent = pids.get(logged.path.rpartition(".")[0])
        if born_of is None and parent is not None and log.processes[parent].ending == KILLED:
            continue  # the parent was killed while it was being born: the kernel tells nobody whose child it was
        if born_of != parent:
            differences.append(f"process {pid} ({logged.path}) is traced as a child of {born_of}")
    lost = log.threads - {row.pid for row in rows if row.is_thread}
    differences.extend(f"thread {tid} is not in the trace" for tid in sorted(lost))
    return differences


def run_torture(
    program: Path, seed: int, size: int, folder: Path, *, tracer: Sequence[str] | None, timeout: float
) -> list[str]:
    """Run one tree of processes in an empty folder, under ``tracer`` or bare; return every difference.

    ``tracer`` are the words before the command, without the trace directory.
    """
    log_name, trace, work = folder / "log", folder / "trace", folder / "work"
    work.mkdir(parents=True)
    command = [str(program), str(log_name), str(seed), str(size)]
    if tracer is not None:
        command = [*tracer, "-d", str(trace), "--", *command]
    environment = make_mark()
    read, write = os.pipe()
    try:
        with (folder / "stderr").open("wb") as stderr:
            running = subprocess.Popen(
                command,
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=stderr,
                start_new_session=True,
            )
        os.close(write)
        differences = wait_for_end(running, read, environment, patience=timeout, alone=tracer is None)
    finally:
        os.close(read)
        kill_marked(environment)
    if not log_name.exists():
        differences.append(f"exit status {running.returncode}, and the program never began")
    if differences:
        return [*differences, *(folder / "stderr").read_text(errors="replace").splitlines()[-3:]]
    log = parse_log(log_name.read_text())
    root = next(logged for logged in log.processes.values() if logged.path == "r")
    if running.returncode != root.ending.exit_code:
        differences.append(f"exit status {running.returncode}, not {root.ending.exit_code}")
    if tracer is None:
        return [*differences, *log.complaints]
    said = (folder / "stderr").read_text(errors="replace").splitlines()
    differences.extend(f"the tracer said: {line}" for line in said[-3:] if INTERRUPTED not in line)
    return differences + find_differences(log, read_processes(trace / "trace.sqlite3"))


def wait_for_end(
    running: "subprocess.Popen[bytes]", read: int, environment: dict[str, str], *, patience: float, alone: bool
) -> list[str]:
    """Wait for the command, then for whoever holds its standard output; under a tracer that must be nobody."""
    try:
        running.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        alive = "; ".join(describe(pid) for pid in find_marked(environment))
        return [f"no end after {patience:.0f} s: {alive}"]
    readable, _, _ = select.select([read], [], [], patience if alone else 0)
    if not readable:
        alive = "; ".join(describe(pid) for pid in find_marked(environment))
        return [f"alive after the {'time' if alone else 'tracer'}: {alive}"]
    return []


def run_tortures(tracer: Sequence[str], count: int, size: int, scratch: Path, first: int) -> dict[int, list[str]]:
    """Run `count` trees, with seeds from `first` on; return the differences of each. A failed run's files stay."""
    results = {}
    with tempfile.TemporaryDirectory(prefix="torture-", dir=scratch) as name:
        program = compile_program(SOURCE, Path(name))
        for seed in range(first, first + count):
            folder = Path(name) / str(seed)
            results[seed] = run_torture(program, seed, size, folder, tracer=tracer, timeout=TIMEOUT)
            print(f"seed {seed}: {results[seed][0] if results[seed] else 'ok'}", file=sys.stderr, flush=True)
            if results[seed]:
                kept = scratch / "torture-failed" / str(seed)
                shutil.rmtree(kept, ignore_errors=True)
                kept.parent.mkdir(exist_ok=True)
                folder.rename(kept)
            else:
                shutil.rmtree(folder)
    return results


def format_tortures(results: Mapping[int, Sequence[str]], size: int) -> str:
    """Lay out every seed whose trace differs, and say how many did not."""
    passed = sum(not differences for differences in results.values())
    lines = [f"{passed} of {len(results)} trees of about {size} processes are traced as they were."]
    if passed < len(results):
        lines += ["", "| seed | differences | first of them |", "|---|---|---|"]
        lines += [
            f"| {seed} | {len(differences)} | {differences[0].replace('|', '/')} |"
            for seed, differences in results.items()
            if differences
        ]
    return "\n".join(lines)
