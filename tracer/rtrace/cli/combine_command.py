"""``rtrace combine``: one trace directory of several."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.cli.options import DIRECTORY
from rtrace.cli.speaking import say
from rtrace.trace.directory import TraceDirectory


@click.command()
@DIRECTORY
@click.argument("sources", nargs=-1, required=True, metavar="TRACE...", type=click.Path(path_type=Path))
def command(directory: Path, *, sources: tuple[Path, ...]) -> None:
    """Bring the runs of several trace directories together in a new one: ranks of a job, steps or hosts of a pipeline.

    The runs follow one another in the order in which they began. What was edited in the manifests is taken over; where
    two of them contradict each other, or an edit has no place, a sentence says so. The trace directories named stay as
    they are.
    """
    from rtrace.combining import combine, join_manifests, read_manifests
    from rtrace.tracing import write_new_manifest

    traces = [TraceDirectory(source) for source in sources]
    manifests = read_manifests(traces)
    combined = combine(traces, TraceDirectory(directory))
    manifest, problems = join_manifests(traces, manifests, combined)
    write_new_manifest(manifest, combined.directory)
    for notice in manifest.notices:
        say(f"not captured: {notice.what}; {notice.advice}")
    for problem in problems:
        say(f"not taken over: {problem}")
    runs = sum(map(len, combined.runs))
    say(f"combined {runs} runs of {len(traces)} traces in {directory}")
