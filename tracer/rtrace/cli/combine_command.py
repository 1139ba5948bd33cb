"""``rtrace combine``: one trace directory of several."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rtrace.cli.options import DIRECTORY, say
from rtrace.printable import printable
from rtrace.trace.directory import TraceDirectory


@click.command()
@DIRECTORY
@click.argument("sources", nargs=-1, required=True, metavar="TRACE...", type=click.Path(path_type=Path))
def command(directory: Path, *, sources: tuple[Path, ...]) -> None:
    """Bring the runs of several trace directories together in a new one: ranks of a job, steps or hosts of a pipeline.

    The runs follow one another in the order in which they began. The trace directories named stay as they are; edits of
    their manifests are not taken over.
    """
    from rtrace.combining import combine
    from rtrace.trace.directory import close
    from rtrace.tracing import write_manifest

    combined = combine([TraceDirectory(source) for source in sources], TraceDirectory(directory))
    connection = combined.directory.open()
    try:
        manifest = write_manifest(connection, combined.directory)
    finally:
        close(connection)
    for notice in manifest.notices:
        say(f"not captured: {notice.what}; {notice.advice}")
    say(f"combined {combined.runs} runs of {combined.sources} traces in {printable(os.fsencode(directory))}")
