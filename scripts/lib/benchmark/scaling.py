"""Show that cost grows with distinct paths, and hardly with calls: `scripts/bench --scaling`."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.programs import compile_program
from benchmark.tools import describe_status, read_parts, timing_environment

SOURCE = Path(__file__).with_name("calls.c")
FILES_A_FOLDER = 1000


@dataclass(frozen=True)
class Scale:
    """One row: how many calls, on how many distinct paths."""

    calls: int
    paths: int

    def scaled(self, divisor: int) -> "Scale":
        """Return the same shape with less to do: calls and paths shrink, down to a folder's worth of paths."""
        return Scale(max(self.calls // divisor, FILES_A_FOLDER), max(self.paths // divisor, FILES_A_FOLDER))


SCALES = (Scale(10_000_000, 1_000), Scale(1_000_000, 1_000_000))


@dataclass(frozen=True)
class Cost:
    """What one traced run took: seconds in all, of the program, and bare; bytes of memory and of the trace."""

    seconds: float
    program: float
    bare: float
    peak: int
    idle: int
    trace: int


def make_files(folder: Path, count: int) -> None:
    """Make `count` empty files, a thousand a folder."""
    for number in range(count):
        if number % FILES_A_FOLDER == 0:
            parent = folder / str(number // FILES_A_FOLDER)
            parent.mkdir(parents=True, exist_ok=True)
        (parent / str(number % FILES_A_FOLDER)).touch()


def watch(command: Sequence[str], timings: Path) -> tuple[float, int]:
    """Run a command to its end; return its seconds and its peak memory in bytes.

    The peak is the highest of any process that the command waited for (ru_maxrss of getrusage(2)): the tracer's, as
    the traced program holds next to nothing.
    """
    begin = time.perf_counter()
    running = subprocess.Popen(command, env=timing_environment(timings), stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"scripts/bench: {describe_status(running.returncode)} of {' '.join(command)}")
    return time.perf_counter() - begin, usage.ru_maxrss * 1024


def measure_scale(program: Path, tracer: Sequence[str], scale: Scale, folder: Path) -> Cost:
    """Run one row bare and traced, and an idle tracer for comparison."""
    files, timings = folder / "files", folder / "timings.json"
    make_files(files, scale.paths)
    command = [str(program), str(files), str(scale.calls), str(scale.paths)]
    watch(command, timings)  # warms the caches
    bare, _ = watch(command, timings)
    _, idle = watch([*tracer, "-d", str(folder / "idle"), "--", str(program), str(files), "1", "1"], timings)
    timings.unlink(missing_ok=True)
    seconds, peak = watch([*tracer, "-d", str(folder / "trace"), "--", *command], timings)
    parts = read_parts(timings)
    trace = sum(path.stat().st_size for path in (folder / "trace").rglob("*") if path.is_file())
    return Cost(seconds, parts[1] if parts else seconds, bare, peak, idle, trace)


def run_scaling(tracer: Sequence[str], scales: Sequence[Scale], scratch: Path) -> list[Cost]:
    """Measure every row, each in a folder of its own that is removed afterwards."""
    costs = []
    for scale in scales:
        with tempfile.TemporaryDirectory(prefix="scaling-", dir=scratch) as name:
            folder = Path(name)
            print(f"{scale.calls:,} calls on {scale.paths:,} paths ...", file=sys.stderr, flush=True)
            costs.append(measure_scale(compile_program(SOURCE, folder), tracer, scale, folder))
    return costs


def format_scaling(scales: Sequence[Scale], costs: Sequence[Cost]) -> str:
    """Lay out time and memory of every row."""
    lines = [
        "| open+close calls | paths | bare | rtrace, in all | program | calls/s | peak memory | bytes/path | trace |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for scale, cost in zip(scales, costs, strict=True):
        lines.append(
            f"| {scale.calls:,} | {scale.paths:,} | {cost.bare:.2f} s | {cost.seconds:.2f} s | {cost.program:.2f} s | "
            f"{scale.calls / cost.program:,.0f} | {cost.peak / 2**20:.1f} MiB | "
            f"{(cost.peak - cost.idle) / scale.paths:,.0f} | {cost.trace / 2**20:.1f} MiB |"
        )
    idle = max((cost.idle for cost in costs), default=0)
    lines += ["", f"Bytes/path: peak memory beyond that of a tracer of one call ({idle / 2**20:.1f} MiB)."]
    return "\n".join(lines)
