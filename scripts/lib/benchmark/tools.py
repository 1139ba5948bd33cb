"""The columns of the benchmark: how each tool is told to trace a command."""

import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PARTS = ("start", "program", "finish")


@dataclass(frozen=True)
class Measurement:
    """One timed run: seconds on the wall clock, or why there are none; for rtrace, its parts as well."""

    seconds: float | None
    failure: str = ""
    parts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Tool:
    """One column: a program, its version, and the words that go before the traced command."""

    name: str
    title: str
    program: Path
    prefix: Callable[[Path], list[str]]
    version: tuple[str, ...]

    def describe(self) -> str:
        """Name the tool, with the version that answered."""
        if not self.version:
            return self.title
        try:
            answer = subprocess.run(
                [self.program, *self.version], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        except OSError as error:
            return f"{self.title} ({error.strerror})"
        return f"{self.title} ({(answer.stdout.splitlines() or ['no version'])[0]})"

    def measure(self, argv: list[str], cwd: Path, scratch: Path, timeout: float) -> Measurement:
        """Run the command once under the tool. `scratch` is for what the tool writes, and is emptied afterwards."""
        scratch.mkdir()
        timings, complaints = scratch / "timings.json", scratch / "stderr"
        environment = {**os.environ, "RTRACE_TIMINGS": str(timings), "REPROZIP_USAGE_STATS": "off"}
        try:
            with complaints.open("wb") as stderr:
                begin = time.perf_counter()
                code = subprocess.run(
                    [*self.prefix(scratch), *argv],
                    check=False,
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    timeout=timeout,
                ).returncode
                seconds = time.perf_counter() - begin
            if code:
                lines = complaints.read_text(errors="replace").splitlines()
                return Measurement(None, f"exit status {code}: {lines[-1] if lines else 'said nothing'}")
            return Measurement(seconds, parts=read_parts(timings))
        except subprocess.TimeoutExpired:
            return Measurement(None, f"gave up after {timeout:.0f} s")
        except OSError as error:
            return Measurement(None, f"{error.filename}: {error.strerror}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


BARE = Tool("bare", "bare", Path(), lambda _: [], ())


def read_parts(timings: Path) -> tuple[float, ...]:
    """Read what rtrace says of its own time; nothing when the tool was another one."""
    if not timings.exists():
        return ()
    facts = json.loads(timings.read_text())
    return tuple(float(facts[part]) for part in PARTS)


def find_tools(checkout: Path) -> tuple[Tool, ...]:
    """Tell the columns, for the programs that scripts/bench installed."""
    rtrace = checkout / ".venv/bin/rtrace"
    strace = Path(shutil.which("strace") or "strace")
    reprozip = checkout / ".bench/reprozip/bin/reprozip"
    strace_options = ["-f", "--seccomp-bpf", "-e", "trace=file,process"]
    return (
        BARE,
        Tool(
            "rtrace",
            "rtrace trace",
            rtrace,
            lambda folder: [str(rtrace), "trace", "-d", f"{folder}/trace", "--"],
            ("--version",),
        ),
        Tool(
            "strace",
            "strace -f --seccomp-bpf -e trace=file,process",
            strace,
            lambda folder: [str(strace), *strace_options, "-o", f"{folder}/strace.log", "--"],
            ("--version",),
        ),
        Tool(
            "reprozip",
            "reprozip trace",
            reprozip,
            lambda folder: [str(reprozip), "trace", "-w", "-d", f"{folder}/trace"],
            ("--version",),
        ),
    )


def median(measurements: list[Measurement]) -> float | None:
    """Return the median of the runs that succeeded; None when one failed."""
    seconds = [measurement.seconds for measurement in measurements if measurement.seconds is not None]
    return statistics.median(seconds) if seconds and len(seconds) == len(measurements) else None


def median_parts(measurements: list[Measurement]) -> tuple[float, ...]:
    """Return the median of each part of rtrace's time."""
    parts = [measurement.parts for measurement in measurements if measurement.parts]
    return tuple(statistics.median(column) for column in zip(*parts, strict=True)) if parts else ()
