"""Show what `rtrace verify` costs where there is much of something: many packed files, and large outputs.

`scripts/bench --verifying`: a bundle of 300,000 small files, verified with nothing kept and again; and outputs of 2 GB
that come out the same, whose replay and comparison stand beside reading them (`cat` of the same files, from the cache
of the system). The program that writes them is timed alone, and taken off. Memory is the most that one process had.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

MANY = """\
import os
total = 0
for folder in sorted(os.listdir("inputs")):
    for name in os.listdir("inputs/" + folder):
        with open(f"inputs/{folder}/{name}", "rb", buffering=0) as file:
            total += len(file.read())
with open("total.txt", "w") as file:
    print(total, file=file)
"""
LARGE = """\
import hashlib
import sys
for number in range(4):
    block = hashlib.shake_128(b"%d" % number).digest(1 << 20)
    with open(f"large-{number}.bin", "wb") as file:
        for _ in range(int(sys.argv[1])):
            file.write(block)
"""
FOLDER = 1000
Turn = tuple[float, float, int]
"""Seconds by the clock, seconds of the processor, and the most bytes of memory of a process."""


def measure(command: Sequence[str | Path], cwd: Path, env: dict[str, str]) -> Turn:
    """Run a command, and return what it took with all its children. A command that fails ends the benchmark."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"scripts/bench: {command} failed: {done.stderr}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, int(done.stderr.splitlines()[-1]) << 10


MEASURED = """\
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


def make_bundle(rtrace: Path, folder: Path, program: str, *arguments: str) -> Path:
    """Trace and pack a program in a folder, which may have inputs in it; return the bundle."""
    folder.mkdir(exist_ok=True)
    (folder / "program.py").write_text(program)
    bundle = folder.parent / f"{folder.name}.rpz"
    python = shutil.which("python3") or sys.executable
    commands: tuple[list[str | Path], ...] = (
        [rtrace, "trace", "-q", "--no-history", "-d", folder.parent / f"{folder.name}.trace", python, "program.py"],
        [rtrace, "pack", "-q", "-d", folder.parent / f"{folder.name}.trace", bundle],
    )
    commands[0].extend(arguments)
    for command in commands:
        measure(command, folder, dict(os.environ))
    return bundle


def run_verifying(rtrace: Path, folder: Path, rounds: int, files: int, megabytes: int) -> dict[str, list[Turn]]:
    """Measure; return the turns by row."""
    many = folder / "many"
    for number in range(files):
        place = many / f"inputs/{number // FOLDER:04}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number % FOLDER:03}").write_text(f"{number}\n")
    bundle = make_bundle(rtrace, many, MANY)
    large = folder / "large"
    outputs = make_bundle(rtrace, large, LARGE, str(megabytes // 4))
    cache = folder / "trees"
    env = {**os.environ, "RTRACE_CACHE": str(cache)}
    verify: list[str | Path] = [rtrace, "verify", "-q", "--no-history"]
    rows: dict[str, list[Turn]] = {}
    for _ in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        for name in (f"{files} files, nothing kept", f"{files} files, again"):
            rows.setdefault(name, []).append(measure([*verify, bundle], folder, env))
        for name, command in (
            (f"{megabytes} MB of outputs, verified", [*verify, outputs]),
            ("the program that writes them, alone", ["python3", "program.py", str(megabytes // 4)]),
            ("reading them, from the system's cache", ["sh", "-c", "exec cat large-*.bin"]),
        ):
            rows.setdefault(name, []).append(measure(command, large, env))
    return rows


def format_verifying(rows: dict[str, list[Turn]]) -> str:
    """Return the table."""
    lines = ["| | seconds | of the processor | memory of the largest process |", "|---|---|---|---|"]
    for name, turns in rows.items():
        seconds, used, memory = (statistics.median(values) for values in zip(*turns, strict=True))
        lines.append(f"| {name} | {seconds:.1f} | {used:.1f} | {memory / 1e6:.0f} MB |")
    return "\n".join(lines)
