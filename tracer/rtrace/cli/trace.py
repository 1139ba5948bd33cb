"""``rtrace trace``: run a command under the tracer."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace import interrupts
from rtrace.cli.frame.command import RtraceCommand, refuse_elsewhere
from rtrace.cli.options.common import DIRECTORY, FREEZE, JSON_LAST, parse_size
from rtrace.cli.options.completing import complete_command
from rtrace.cli.terminal.speaking import say, say_more, tell_json, warn
from rtrace.cli.terminal.tidying import tell_settled
from rtrace.errors import BusyError, TraceError, UsageError
from rtrace.printable import count
from rtrace.record.names import check_label, check_tags
from rtrace.trace.directory import TraceDirectory

if TYPE_CHECKING:
    from rtrace.operations.trace import TraceReport, TraceRequest


@click.command(
    cls=RtraceCommand,
    context_settings={"allow_interspersed_args": False},
    statuses={
        "126": "COMMAND is not executable",
        "127": "COMMAND was not found",
        "128+N": "signal N ended COMMAND, or interrupted rtrace; what was traced is kept",
        "other": "that of COMMAND",
    },
    examples=(
        "rtrace trace ./run.sh",
        "rtrace trace --continue python3 plot.py --dpi 300",
        "rtrace trace -- sh -c 'sort words | uniq -c > counts'",
        "mpirun -n 4 rtrace trace --rank ./solver",
    ),
)
@DIRECTORY
@JSON_LAST
@click.option("--continue", "continued", is_flag=True, help="Add this run to the trace directory's earlier ones.")
@click.option("--overwrite", is_flag=True, help="Replace the trace directory.")
@click.option("--rank", "as_rank", is_flag=True, help="Be one rank of a job: the last one to end joins all traces.")
@click.option("--detach-daemons", is_flag=True, help="Do not wait for processes that outlive COMMAND.")
@click.option("--no-capture", is_flag=True, help="Keep neither what COMMAND reads from pipes nor what it prints.")
@click.option(
    "--keep",
    type=parse_size,
    metavar="SIZE",
    default="256M",
    show_default=True,
    help="How much of each stream to keep; comparison always covers all of it.",
)
@click.option(
    "--snapshot-limit",
    type=parse_size,
    metavar="SIZE",
    default="1G",
    show_default=True,
    help="Space for copies of files that COMMAND changes; a file system with reflinks needs none.",
)
@FREEZE
@click.option("--twice", is_flag=True, help="Run COMMAND again afterwards, and offer rules for what differs.")
@click.option("--label", metavar="NAME", help="Call this run NAME in the history, as in `rtrace show NAME`.")
@click.option("-m", "--reason", metavar="TEXT", help="Say in the record why this run is made.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help="Add a tag to the record; may be repeated.")
@click.option(
    "--project",
    metavar="NAME",
    help="Say what the run belongs to; by default $RTRACE_PROJECT, or the name of the script's repository.",
)
@click.option("--no-history", is_flag=True, help="Keep the record in the trace directory alone.")
@click.argument(
    "arguments",
    nargs=-1,
    required=True,
    metavar="[--] COMMAND [ARGUMENT]...",
    type=click.UNPROCESSED,
    shell_complete=complete_command,
)
def command(  # noqa: PLR0913 - an argument for each option
    directory: Path,
    *,
    as_json: bool,
    continued: bool,
    overwrite: bool,
    as_rank: bool,
    detach_daemons: bool,
    no_capture: bool,
    keep: int,
    snapshot_limit: int,
    freeze: bool,
    twice: bool,
    label: str | None,
    reason: str | None,
    tags: tuple[str, ...],
    project: str | None,
    no_history: bool,
    arguments: tuple[str, ...],
) -> None:
    """Run COMMAND and record everything that it and the processes it starts read, run and write.

    Writes a trace directory with a manifest, which may be edited before `rtrace pack`. The command's standard streams
    are left alone; a copy of what it prints is kept. Ends when the last process that COMMAND left behind has ended.
    """
    if continued and overwrite:
        raise UsageError("--continue and --overwrite contradict each other; choose one")
    if as_rank and (continued or detach_daemons):
        option = "--continue" if continued else "--detach-daemons"
        raise UsageError(f"--rank and {option} do not go together; leave {option} out, and use -d for a further step")
    if twice and (as_rank or detach_daemons or freeze):
        option = "--rank" if as_rank else "--detach-daemons" if detach_daemons else "--freeze"
        raise UsageError(f"--twice and {option} do not go together; leave one out")
    if not arguments[0]:
        raise UsageError("the command to trace is empty; name a program")
    check_label(label)
    check_tags(tags)
    refuse_elsewhere("trace")
    from rtrace.operations.recording.traced import RecordRequest
    from rtrace.operations.trace import TraceRequest, trace_into  # 30 ms that --help does not need
    from rtrace.record.taking.said import Said

    argv = tuple(os.fsencode(argument) for argument in arguments)
    request = TraceRequest(
        argv,
        continued=continued,
        overwrite=overwrite,
        detach_daemons=detach_daemons,
        keep=None if no_capture else keep,
        snapshot_limit=snapshot_limit,
        record=RecordRequest(Said(label or None, reason or None, tags, project), history=not no_history),
        freezes=freeze,
    )

    if as_rank:
        sys.exit(trace_as_rank(TraceDirectory(directory), request, as_json=as_json))

    def trace() -> TraceReport:
        tell_settled(TraceDirectory(directory))
        try:
            report = trace_into(TraceDirectory(directory), request, on_waiting=tell_of_daemons, on_loss=tell_of_loss)
        except (TraceError, BusyError) as error:
            raise type(error)(f"{error}{advise_ranks()}") from None
        if as_json:
            from rtrace.answers.recording import answer_trace

            tell_json(answer_trace(report))
        else:
            tell(report)
        write_timings(report)
        keep_outputs(report, history=not no_history)
        if twice:
            from rtrace.operations.offering.twice import run_twice

            for sentence in run_twice(report.directory, argv):
                say(sentence)
        return report

    if not detach_daemons:
        sys.exit(trace().traced.exit_status)
    from rtrace.capture.processes.dispositions import heed_children
    from rtrace.cli.terminal.detaching import run_detached

    heed_children()  # here, as this process's caller counts, and not that of the process that traces

    def trace_and_linger(report_status: Callable[[int], None]) -> None:
        interrupts.begin()
        traced = trace().traced
        report_status(traced.exit_status)
        traced.linger()

    sys.exit(run_detached(trace_and_linger))


def trace_as_rank(directory: TraceDirectory, request: TraceRequest, *, as_json: bool) -> int:
    """Trace as one process of a parallel program; return its exit status."""
    from rtrace.cli.terminal.telling_ranks import tell_rank
    from rtrace.operations.parallel.ranks import find_own_rank, place_own_ranks, trace_rank

    rank = find_own_rank()
    places = place_own_ranks(directory, rank)
    tell_settled(places.find(rank.number))
    report = trace_rank(places, rank, request, on_waiting=tell_of_daemons, on_loss=tell_of_loss)
    if as_json:
        from rtrace.answers.recording import answer_rank

        tell_json(answer_rank(report))
    else:
        tell_rank(report)
    write_timings(report.own)
    keep_outputs(report.own, history=False)  # the history has the record of all ranks
    return report.own.traced.exit_status


def advise_ranks() -> str:
    """Return what to add to an error where several ranks may have traced into one folder."""
    from rtrace.trace.parallel.launchers import find_rank

    rank = find_rank(os.environb)
    return "; this is one of several ranks: with --rank each has its own" if rank is not None and rank.size > 1 else ""


def tell(report: TraceReport) -> None:
    """Say what was traced, and what could not be."""
    for notice in report.notices:
        warn(f"not captured: {notice.what}; {notice.advice}")
    for problem in (report.problem, None if report.record is None else report.record.problem):
        if problem:
            warn(problem)
    traced = report.traced
    ended = f"exit status {traced.exit_code}" if traced.signal is None else f"killed by {name_signal(traced.signal)}"
    processes, paths = count(report.processes, "process", "processes"), count(report.paths, "path")
    say(f"traced {processes} and {paths}; {ended}")
    say_more(f"the command took {traced.ended - traced.began:.2f} s")
    say(f"next: `rtrace pack{report.pack_options}` (edit {report.directory.manifest} first to leave files out)")


def keep_outputs(report: TraceReport, *, history: bool) -> None:
    """Keep the outputs of the run, where a configuration file names a data store."""
    recorded = report.record
    if recorded is None or recorded.id is None:
        return
    from rtrace.record.keeping.configuration import find_configuration

    configuration = find_configuration()
    if configuration is not None:
        from rtrace.operations.history.keeping import keep_run

        remembered = history and recorded.problem is None
        keep_run(configuration, report.directory, recorded.id, history=remembered, tell=warn)


def name_signal(number: int) -> str:
    """Return the name of a signal; real-time signals have numbers alone."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def tell_of_daemons(programs: tuple[str, ...]) -> None:
    """Say who is waited for when the command has ended."""
    warn(f"the command has ended; waiting for {', '.join(programs)} (--detach-daemons would not wait)")


def tell_of_loss(what: str, advice: str) -> None:
    """Say at once what cannot be captured, as the report will again."""
    warn(f"{what}; {advice}")


def write_timings(report: TraceReport) -> None:
    """Write how long start, program and finish took, in seconds, to the file that RTRACE_TIMINGS names.

    `record` is how much of the finish the record took, `record_processor` its processor time.
    """
    target = os.environ.get("RTRACE_TIMINGS")
    if target:
        began, ended = report.traced.began, report.traced.ended
        timings = {
            "start": began - process_start(),
            "program": ended - began,
            "finish": time.monotonic() - ended,
            "record": 0.0 if report.record is None else report.record.seconds,
            "record_processor": 0.0 if report.record is None else report.record.processor,
        }
        Path(target).write_text(json.dumps(timings), encoding="utf-8")


def process_start() -> float:
    """Return when this process began, on the clock of time.monotonic; field 22 of /proc/self/stat, see proc(5)."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    since_boot = ticks / os.sysconf("SC_CLK_TCK")
    return since_boot - (time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())
