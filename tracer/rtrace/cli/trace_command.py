"""``rtrace trace``: run a command under the tracer."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from rtrace.cli.options import DIRECTORY, say, show
from rtrace.errors import UsageError
from rtrace.trace.directory import TraceDirectory


@click.command(context_settings={"allow_interspersed_args": False})
@DIRECTORY
@click.option("--continue", "continued", is_flag=True, help="Add this run to the trace directory's earlier ones.")
@click.option("--overwrite", is_flag=True, help="Replace the trace directory.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something fails or could not be captured.")
@click.argument("arguments", nargs=-1, required=True, metavar="[--] COMMAND [ARGUMENT]...", type=click.UNPROCESSED)
def command(directory: Path, *, continued: bool, overwrite: bool, quiet: bool, arguments: tuple[str, ...]) -> None:
    """Run COMMAND and note everything that it and the processes it starts look at.

    Writes a trace directory with a manifest in it that may be edited before `rtrace pack`. Standard input, output and
    error are the command's own. Exits with the command's status.
    """
    if continued and overwrite:
        raise UsageError("--continue and --overwrite contradict each other; choose one")
    if not arguments[0]:
        raise UsageError("the command to trace is empty; name a program")
    from rtrace.tracing import trace_into  # 30 ms that --help does not need

    argv = tuple(os.fsencode(argument) for argument in arguments)
    report = trace_into(TraceDirectory(directory), argv, continued=continued, overwrite=overwrite)
    traced = report.traced
    for notice in report.notices:
        say(f"not captured: {notice.what}; {notice.advice}")
    if not quiet:
        how = f"signal {traced.signal}" if traced.signal is not None else f"exit status {traced.exit_code}"
        say(f"traced {report.processes} processes and {report.paths} paths; {how}")
        manifest = show(os.fsencode(report.directory.manifest))
        say(f"edit {manifest} if you like, then run `rtrace pack{report.pack_options}`")
    write_timings(traced.began, traced.ended)
    sys.exit(traced.exit_status)


def write_timings(began: float, ended: float) -> None:
    """Write how long start, program and finish took, in seconds, to the file that RTRACE_TIMINGS names."""
    target = os.environ.get("RTRACE_TIMINGS")
    if target:
        timings = {"start": began - process_start(), "program": ended - began, "finish": time.monotonic() - ended}
        Path(target).write_text(json.dumps(timings), encoding="utf-8")


def process_start() -> float:
    """Tell when this process began, on the clock of time.monotonic; field 22 of /proc/self/stat, see proc(5)."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    since_boot = ticks / os.sysconf("SC_CLK_TCK")
    return since_boot - (time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())
