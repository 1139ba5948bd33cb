"""Show what it takes to verify the sample experiments, in namespaces and in a container, and to build an image by hand.

`scripts/bench --replaying`: every way takes its turn in every round. `rtrace verify` is one command from the bundle to
the verdict: unpacked, made into an image, run, looked into, removed. A script in its place counts the calls of docker.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SAMPLES = ("text-pipeline", "c-program", "python-analysis")
CHROOT, DOCKER, BUILD = "verify, chroot", "verify, docker", "docker build and rmi"
WAYS = (CHROOT, DOCKER, BUILD)
CONTEXT = "context"


@dataclass
class Row:
    """What was measured of one sample: seconds by way, and how often `verify` called the engine."""

    sample: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    calls: int = 0


def run(command: Sequence[str | Path], cwd: Path, **variables: str) -> float:
    """Run a command that must succeed; return the seconds that it took."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit(f"scripts/bench: {command} failed: {done.stderr.decode(errors='replace')}")
    return seconds


def make_counter(folder: Path) -> tuple[Path, Path]:
    """Write a command that passes everything on to docker and notes each call; return it and the notes."""
    counter, notes = folder / "counting-docker", folder / "calls"
    counter.write_text(f'#!/bin/sh\necho "$1" >> {notes}\nexec docker "$@"\n')
    counter.chmod(0o755)
    return counter, notes


def has_docker() -> bool:
    """Whether an engine answers."""
    command = ("docker", "version")
    return bool(shutil.which("docker")) and subprocess.run(command, capture_output=True, check=False).returncode == 0


def list_ways(rtrace: Path, bundle: str) -> Mapping[str, tuple[str | Path, ...]]:
    """Return the command of every way that works here."""
    ways: dict[str, tuple[str | Path, ...]] = {CHROOT: (rtrace, "verify", bundle)}
    if has_docker():
        ways[DOCKER] = (rtrace, "verify", "--unpacker", "docker", bundle)
        ways[BUILD] = ("sh", "-c", f'docker rmi --force "$(docker build --no-cache --quiet {CONTEXT})"')
    return ways


def measure(sample: Path, rtrace: Path, folder: Path, rounds: int) -> Row:
    """Measure one sample experiment in a folder of its own."""
    work, bundle = folder / "work", "bundle.rpz"
    shutil.copytree(sample, work, ignore=shutil.ignore_patterns("expected"))
    run((rtrace, "trace", "-q", "./run.sh"), work)
    run((rtrace, "pack", folder / bundle), work)
    run((rtrace, "unpack", "docker", bundle, CONTEXT), folder, RTRACE_DOCKER="/nonexistent/engine")
    row = Row(sample.name)
    for turn in range(rounds):
        for way, command in list_ways(rtrace, bundle).items():
            seconds = run(command, folder)
            row.seconds.setdefault(way, []).append(seconds)
            print(f"{sample.name}, round {turn + 1}, {way}: {seconds:.2f} s", file=sys.stderr, flush=True)
    if DOCKER in row.seconds:
        counter, notes = make_counter(folder)
        run((rtrace, "verify", "--unpacker", "docker", bundle), folder, RTRACE_DOCKER=str(counter))
        row.calls = len(notes.read_text().splitlines())
    return row


def run_replaying(checkout: Path, scratch: Path, rounds: int, samples: Sequence[str] = SAMPLES) -> list[Row]:
    """Measure every sample."""
    rows = []
    for name in samples:
        with tempfile.TemporaryDirectory(prefix="replaying-", dir=scratch) as folder:
            sample = checkout / "fixtures/experiments" / name
            rows.append(measure(sample, checkout / ".venv/bin/rtrace", Path(folder), rounds))
    return rows


def format_replaying(rows: Sequence[Row]) -> str:
    """Lay out medians by sample and way."""
    lines = [f"| sample | {' | '.join(WAYS)} | calls of docker |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [f"{statistics.median(row.seconds[way]):.2f} s" if way in row.seconds else "no engine" for way in WAYS]
        lines.append(f"| {row.sample} | {' | '.join(cells)} | {row.calls or '-'} |")
    return "\n".join(lines)
