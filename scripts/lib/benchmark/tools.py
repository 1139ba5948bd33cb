"""The columns of the benchmark: how each tool is told to trace a command."""

import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark.descendants import kill_marked, make_mark

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
    environment: tuple[tuple[str, str], ...] = ()
    litter: tuple[str, ...] = ()
    """What it leaves in the working directory, to be removed before another tool's turn."""

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
        version = re.search(r"\d+(\.\d+)+\S*", answer.stdout)
        return f"{self.title} ({version.group() if version else 'no version'})"

    def measure(self, argv: list[str], cwd: Path, scratch: Path, timeout: float) -> Measurement:
        """Run the command once under the tool. `scratch` is for what the tool writes, and is emptied afterwards."""
        scratch.mkdir()
        timings, complaints = scratch / "timings.json", scratch / "stderr"
        environment = {**make_mark(), **timing_environment(timings), **dict(self.environment)}
        try:
            with complaints.open("wb") as stderr:
                begin = time.perf_counter()
                running = subprocess.Popen(
                    [*self.prefix(scratch), *argv],
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    start_new_session=True,
                )
                code = wait_within(running, timeout)
                seconds = time.perf_counter() - begin
            if code is None:
                return Measurement(None, f"gave up after {timeout:.0f} s")
            if code:
                return Measurement(None, f"{describe_status(code)}: {find_last_words(complaints)}")
            return Measurement(seconds, parts=read_parts(timings))
        except OSError as error:
            return Measurement(None, f"{error.filename}: {error.strerror}")
        finally:
            kill_marked(environment)
            shutil.rmtree(scratch, ignore_errors=True)
            for name in self.litter:
                (cwd / name).unlink(missing_ok=True)


def wait_within(running: "subprocess.Popen[bytes]", timeout: float) -> int | None:
    """Wait for the end and return its status; None when it had to be killed after `timeout` seconds.

    Popen.wait with a timeout looks every 50 ms, which is more than some runs take; this one sleeps in waitpid.
    """
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        running.kill()

    timer = threading.Timer(timeout, expire)
    timer.start()
    code = running.wait()
    timer.cancel()
    return None if expired.is_set() else code


def timing_environment(timings: Path) -> dict[str, str]:
    """Return the environment in which rtrace writes where its time went, and ReproZip asks nothing."""
    return {**os.environ, "RTRACE_TIMINGS": str(timings), "REPROZIP_USAGE_STATS": "off"}


def describe_status(code: int) -> str:
    """Return how a program ended, in the words of subprocess: a negative status is a signal."""
    return f"signal {-code}" if code < 0 else f"exit status {code}"


def find_last_words(complaints: Path) -> str:
    """Return the last two lines that speak of an error; when none does, the last two that say anything."""
    lines = [line.strip() for line in complaints.read_text(errors="replace").splitlines()]
    errors = [line for line in lines if "error" in line.lower()]
    words = errors or [line for line in lines if any(map(str.isalnum, line))]
    return "; ".join(words[-2:]) or "said nothing"


BARE = Tool("bare", "bare", Path(), lambda _: [], ())


def read_parts(timings: Path) -> tuple[float, ...]:
    """Read what rtrace says of its own time; nothing when the tool was another one."""
    if not timings.exists():
        return ()
    facts = json.loads(timings.read_text())
    return tuple(float(facts[part]) for part in PARTS)


def find_tools(checkout: Path) -> tuple[Tool, ...]:
    """Return the columns, for the programs that scripts/bench installed."""
    rtrace = checkout / ".venv/bin/rtrace"
    floor = checkout / ".bench/floor"
    strace = Path(shutil.which("strace") or "strace")
    reprozip = checkout / ".bench/reprozip/bin/reprozip"
    revealed = ["-r", str(Path.home()), "-r", tempfile.gettempdir()]  # both are hidden by CARE's defaults
    care, cde = (Path(shutil.which(name) or name) for name in ("care", "cde"))
    strace_options = ["-f", "--seccomp-bpf", "-e", "trace=file,process"]
    return (
        BARE,
        Tool(
            "floor",
            "the kernel's share: a C program that asks the kernel what rtrace asks it, and notes nothing",
            floor,
            lambda _: [str(floor)],
            (),
        ),
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
        Tool(
            "care",
            "care, archive included",
            care,
            lambda folder: [str(care), *revealed, "-o", f"{folder}/archive.tar"],
            ("--version",),
            environment=(("PROOT_NO_SECCOMP", "1"),),  # CARE 2.2.1 dies on recent kernels without
        ),
        Tool(
            "cde",
            "cde, package included",
            cde,
            lambda folder: [str(cde), "-o", f"{folder}/package"],
            ("-V",),
            litter=("cde.options",),
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
