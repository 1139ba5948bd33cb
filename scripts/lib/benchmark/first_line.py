"""Show how long it takes from `rtrace run BUNDLE` to the first line that the program prints.

`scripts/bench --first-line`: a Python experiment of about 500 MB, replayed for the first time, with nothing kept, and
again; beside it `zstd -d | tar x` of the same files, and the program by itself: what it takes to its first line is no
cost of rtrace's. Each takes its turn in every round. Processor time is shown, too: it depends less on what else the
machine does.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = """\
import os
import sys
print("begun", flush=True)
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            file.read(1)
"""
FIRST, SECOND, BARE, TAR = "rtrace run, nothing kept", "rtrace run, again", "the program by itself", "zstd -d, tar x"
Turn = tuple[float, float]
"""Seconds by the clock, and of the processor."""


def processor_seconds() -> float:
    """Return the processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def until_first_line(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> float:
    """Return the seconds until a command printed its first line."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        line = running.stdout.readline() if running.stdout else b""
        seconds = time.perf_counter() - began
        said = running.communicate()[1]
    if line != b"begun\n" or running.returncode:
        sys.exit(f"scripts/bench: {command} failed: {said.decode(errors='replace')}")
    return seconds


def make_experiment(rtrace: Path, libraries: Path, folder: Path) -> tuple[Path, Path, int]:
    """Trace and pack a program that opens all files of a folder; return the bundle, an archive, and their bytes."""
    work, bundle, archive = folder / "work", folder / "bundle.rpz", folder / "tree.tar.zst"
    work.mkdir()
    (work / "program.py").write_text(PROGRAM)
    env = {**os.environ, "RTRACE_HISTORY": str(folder / "history")}
    python = libraries / "bin/python"
    commands: tuple[list[str | Path], ...] = (
        [rtrace, "trace", "-q", "-d", folder / "trace", python, "program.py", libraries / "lib"],
        [rtrace, "pack", "-q", "-d", folder / "trace", bundle],
        [rtrace, "unpack", "-q", "chroot", bundle, folder / "target"],
        ["sh", "-c", f"tar -cf - -C {folder}/target/root . | zstd -q -T0 -3 -o {archive}"],
    )
    for command in commands:
        done = subprocess.run(command, cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            sys.exit(f"scripts/bench: {command} failed: {done.stderr.decode(errors='replace')}")
    size = sum(path.lstat().st_size for path in (folder / "target/root").rglob("*") if path.is_file())
    subprocess.run([rtrace, "destroy", "-q", folder / "target"], check=True)
    return bundle, archive, size


def run_first_line(rtrace: Path, libraries: Path, folder: Path, rounds: int) -> tuple[int, dict[str, list[Turn]]]:
    """Measure; return the bytes of the files, and the turns by way."""
    bundle, archive, size = make_experiment(rtrace, libraries, folder)
    env = {**os.environ, "RTRACE_CACHE": str(folder / "trees"), "RTRACE_HISTORY": str(folder / "history")}
    run: list[str | Path] = [rtrace, "run", "--no-history", bundle]
    bare: list[str | Path] = [libraries / "bin/python", folder / "work/program.py", libraries / "lib"]
    turns: dict[str, list[Turn]] = {FIRST: [], SECOND: [], BARE: [], TAR: []}

    def take(way: str, seconds: float, used: float) -> None:
        turns[way].append((seconds, processor_seconds() - used))

    for _ in range(rounds):
        for way, command in ((FIRST, run), (SECOND, run), (BARE, bare)):
            os.sync()
            used = processor_seconds()
            take(way, until_first_line(command, folder, env), used)
        shutil.rmtree(folder / "trees")
        os.sync()
        used, began = processor_seconds(), time.perf_counter()
        untar = f"mkdir untarred && zstd -q -dc {archive} | tar -xf - -C untarred"
        subprocess.run(["sh", "-c", untar], cwd=folder, check=True)
        take(TAR, time.perf_counter() - began, used)
        shutil.rmtree(folder / "untarred")
    return size, turns


def format_first_line(size: int, turns: Mapping[str, Sequence[Turn]]) -> str:
    """Return the table. A replay's processor time includes the program's own."""
    lines = [f"| {size / 1e6:.0f} MB | until the first line | of the processor, in all |", "|---|---|---|"]
    for way, found in turns.items():
        seconds, used = (statistics.median(values) for values in zip(*found, strict=True))
        lines.append(f"| {way} | {seconds:.2f} s | {used:.2f} s |")
    return "\n".join(lines)
