"""``rtrace combine``: one trace directory from several."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.answers.recording import answer_combine
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import DIRECTORY, JSON
from rtrace.cli.terminal.speaking import give_json, say, warn
from rtrace.cli.terminal.tidying import tell_settled
from rtrace.printable import count
from rtrace.trace.directory import TraceDirectory


@click.command(
    cls=RtraceCommand,
    needs="join trace directories",
    examples=("rtrace combine -d all prepare/.rtrace fit/.rtrace", "rtrace combine .rtrace.*.rank-*"),
)
@DIRECTORY
@JSON
@click.argument("sources", nargs=-1, required=True, metavar="TRACE...", type=click.Path(path_type=Path))
def command(directory: Path, *, as_json: bool, sources: tuple[Path, ...]) -> None:
    """Join the runs of several trace directories in a new one: ranks of a job, steps or hosts of a pipeline.

    The runs are put in the order in which they began. What was edited in the manifests is kept; where two of them
    contradict each other, or an edit no longer fits, a sentence says so. The trace directories named are not changed.
    """
    from rtrace.operations.combine import combine
    from rtrace.trace.parallel.gathering import find_left_ranks

    traces = [TraceDirectory(source) for source in sources]
    traces += [left for left in find_left_ranks(traces) if left not in traces]
    tell_settled(*traces, TraceDirectory(directory))
    combined = combine(traces, TraceDirectory(directory))
    if combined.record is not None:
        from rtrace.operations.recording.ranked import keep_in_history

        unrecorded = keep_in_history(combined.record)
        if unrecorded:
            warn(unrecorded)
    if as_json:
        give_json(answer_combine(combined, directory))
        return
    for notice in combined.manifest.notices:
        warn(f"not captured: {notice.what}; {notice.advice}")
    for problem in combined.problems:
        warn(f"not taken over: {problem}")
    sources_told = count(len(traces), "trace directory", "trace directories")
    say(f"joined {count(combined.runs, 'run')} of {sources_told} in {directory}")
