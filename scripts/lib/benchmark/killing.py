"""Kill the tracer at random moments of a busy run, and see what its trace holds: `scripts/bench --kill N`.

                what busy.c logged
|------------------------------------------|......|
begin                                     lost  kill
"""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmark.descendants import kill_marked, make_mark
from benchmark.programs import compile_program

SOURCE = Path(__file__).with_name("busy.c")
DATABASE = "trace.sqlite3"
PROCESSES = 3
LONGEST = 4.0
"""Seconds from the program's first line to the latest moment at which the tracer is killed."""
ALLOWED_LOSS = 1.5
"""Seconds: the tracer promises about one, and the commit itself takes some time."""


@dataclass(frozen=True)
class Killed:
    """What one killed run left. `loss` is the age at the kill, in seconds, of the oldest line that is not traced."""

    after: float
    logged: int
    missing: int
    loss: float
    integrity: str

    @property
    def passed(self) -> bool:
        """Whether the trace opens, and holds all up to about a second before."""
        return self.integrity == "ok" and self.loss <= ALLOWED_LOSS


def parse_log(text: str, until: int) -> list[tuple[int, bytes]]:
    """Read the whole lines of a log, those that are not younger than `until` (nanoseconds)."""
    lines = [line.split(" ", 1) for line in text.split("\n")[:-1]]
    return [(int(when), os.fsencode(path)) for when, path in lines if int(when) <= until]


def compare(
    logged: Iterable[tuple[int, bytes]], traced: frozenset[bytes], *, begun: int, killed: int, integrity: str
) -> Killed:
    """Find what is missing from a trace. Times are nanoseconds of the monotonic clock."""
    lines = list(logged)
    missing = [when for when, path in lines if path not in traced]
    loss = (killed - min(missing)) / 1e9 if missing else 0.0
    return Killed((killed - begun) / 1e9, len(lines), len(missing), loss, integrity)


def read_trace(database: Path, work: Path) -> tuple[frozenset[bytes], str]:
    """Return the used paths below `work`, relative to it, and what SQLite says of the database."""
    prefix = os.fsencode(os.path.realpath(work)) + b"/"
    try:
        with closing(sqlite3.connect(database)) as connection:
            integrity = "; ".join(row[0] for row in connection.execute("PRAGMA integrity_check"))
            rows = connection.execute("SELECT DISTINCT p.path FROM uses u JOIN paths p ON p.id = u.path")
            return frozenset(path[len(prefix) :] for (path,) in rows if path.startswith(prefix)), integrity
    except sqlite3.Error as error:
        return frozenset(), str(error)


def kill_once(program: Path, tracer: Sequence[str], folder: Path, delay: float) -> Killed:
    """Trace the program in an empty folder, and kill the tracer `delay` seconds after the first line."""
    log_name, work, trace = folder / "log", folder / "work", folder / "trace"
    state = folder.with_name(f"{folder.name}-state")
    work.mkdir(parents=True)
    environment = {**make_mark(), "XDG_STATE_HOME": str(state)}  # below it a trace lies until its run is over
    command = [*tracer, "-d", str(trace), "--", str(program), str(log_name), str(PROCESSES)]
    running = subprocess.Popen(
        command, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while not (log_name.exists() and log_name.stat().st_size):
            if running.poll() is not None:
                raise SystemExit(f"scripts/bench: the tracer ended with status {running.returncode} by itself")
            time.sleep(0.001)
        begun = time.monotonic_ns()
        time.sleep(delay)
        killed = time.monotonic_ns()
        running.kill()
        running.wait()
    finally:
        kill_marked(environment)
    database = next(state.rglob(DATABASE), trace / DATABASE)
    traced, integrity = read_trace(database, work)
    return compare(parse_log(log_name.read_text(), killed), traced, begun=begun, killed=killed, integrity=integrity)


def run_killing(tracer: Sequence[str], count: int, scratch: Path, seed: int) -> list[Killed]:
    """Kill `count` runs at moments that `seed` decides."""
    moments = random.Random(seed)  # noqa: S311 - nothing is secret here
    results = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kill-", dir=scratch)))
        program = compile_program(SOURCE, folder)
        for number in range(count):
            result = kill_once(program, tracer, folder / str(number), moments.uniform(0, LONGEST))
            print(f"kill {number + 1} of {count}: {'passed' if result.passed else 'FAILED'}", file=sys.stderr)
            results.append(result)
            if result.passed:
                shutil.rmtree(folder / str(number))
                shutil.rmtree(folder / f"{number}-state")
    return results


def format_killing(results: Sequence[Killed]) -> str:
    """Lay out every kill, and say how many passed."""
    lines = [
        "| killed after | lines logged | not in the trace | oldest of them | integrity_check | |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {result.after:.2f} s | {result.logged:,} | {result.missing:,} | {result.loss:.2f} s before | "
        f"{result.integrity} | {'ok' if result.passed else '**failed**'} |"
        for result in results
    ]
    passed = sum(result.passed for result in results)
    worst = max((result.loss for result in results), default=0.0)
    lines += ["", f"{passed} of {len(results)} passed; most that was lost: {worst:.2f} s ({ALLOWED_LOSS} s allowed)."]
    return "\n".join(lines)
