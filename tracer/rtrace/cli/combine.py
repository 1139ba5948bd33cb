"""``rtrace combine``: one trace directory of several."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.options import DIRECTORY
from rtrace.cli.terminal.speaking import say, warn
from rtrace.cli.terminal.tidying import tell_settled
from rtrace.trace.directory import TraceDirectory


@click.command(cls=RtraceCommand)
@DIRECTORY
@click.argument("sources", nargs=-1, required=True, metavar="TRACE...", type=click.Path(path_type=Path))
def command(directory: Path, *, sources: tuple[Path, ...]) -> None:
    """Bring the runs of several trace directories together in a new one: ranks of a job, steps or hosts of a pipeline.

    The runs follow one another in the order in which they began. What was edited in the manifests is taken over; where
    two of them contradict each other, or an edit has no place, a sentence says so. The trace directories named stay as
    they are.
    """
    from rtrace.operations.combine import combine

    traces = [TraceDirectory(source) for source in sources]
    tell_settled(*traces, TraceDirectory(directory))
    combined = combine(traces, TraceDirectory(directory))
    for notice in combined.manifest.notices:
        warn(f"not captured: {notice.what}; {notice.advice}")
    for problem in combined.problems:
        warn(f"not taken over: {problem}")
    say(f"combined {combined.runs} runs of {len(traces)} traces in {directory}")
