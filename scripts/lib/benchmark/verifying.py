"""Show what `rtrace verify` costs where there is much of something: many packed files, and large outputs.

`scripts/bench --verifying`: a bundle of 300,000 small files, verified with nothing kept and again; and outputs of 2 GB
that come out the same, whose replay and comparison stand beside reading them (`cat` of the same files, from the cache
of the system). The program that writes them is timed alone, too. Memory is the most that one process had.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmark.packing import FILES_A_FOLDER, Turn, take_turn

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


def make_bundle(rtrace: Path, folder: Path, program: str, *arguments: str) -> Path:
    """Trace and pack a program in a folder, which may have inputs in it; return the bundle."""
    folder.mkdir(exist_ok=True)
    (folder / "program.py").write_text(program)
    bundle, trace = (folder.parent / f"{folder.name}.{ending}" for ending in ("rpz", "trace"))
    python = shutil.which("python3") or sys.executable
    take_turn([rtrace, "trace", "-q", "--no-history", "-d", trace, python, "program.py", *arguments], folder)
    take_turn([rtrace, "pack", "-q", "-d", trace, bundle], folder)
    return bundle


def run_verifying(rtrace: Path, folder: Path, rounds: int, files: int, megabytes: int) -> dict[str, list[Turn]]:
    """Measure; return the turns by row."""
    many = folder / "many"
    for number in range(files):
        place = many / f"inputs/{number // FILES_A_FOLDER:04}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number % FILES_A_FOLDER:03}").write_text(f"{number}\n")
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
            rows.setdefault(name, []).append(take_turn([*verify, bundle], folder, env, subprocess.DEVNULL))
        for name, command in (
            (f"{megabytes} MB of outputs, verified", [*verify, outputs]),
            ("the program that writes them, alone", ["python3", "program.py", str(megabytes // 4)]),
            ("reading them, from the system's cache", ["sh", "-c", "exec cat large-*.bin"]),
        ):
            rows.setdefault(name, []).append(take_turn(command, large, env, subprocess.DEVNULL))
    return rows


def format_verifying(rows: dict[str, list[Turn]]) -> str:
    """Return the table."""
    lines = ["| | seconds | of the processor | memory of the largest process |", "|---|---|---|---|"]
    for name, turns in rows.items():
        seconds, used = median(one.seconds for one in turns), median(one.used for one in turns)
        memory = median(one.peak for one in turns) / 1e6
        lines.append(f"| {name} | {seconds:.1f} | {used:.1f} | {memory:.0f} MB |")
    return "\n".join(lines)
