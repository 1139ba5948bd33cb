"""``rtrace import``: take records into the history."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.run_table import open_own_history
from rtrace.cli.terminal.speaking import give_json, say, warn
from rtrace.cli.terminal.tidying import tell_settled
from rtrace.operations.history.importing import import_paths
from rtrace.printable import count
from rtrace.record.keeping.configuration import find_configuration
from rtrace.trace.directory import TraceDirectory


@click.command(
    cls=RtraceCommand,
    statuses={"1": "something was no record; the others were taken in"},
    examples=("rtrace import history.jsonl", "rtrace import .rtrace bundle.rpz"),
)
@JSON
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Take the records at each PATH into the history.

    A PATH is a trace directory, a bundle, a dump of `rtrace log --dump`, a record's document, or a folder of these,
    such as another history; or the store of another tool. Of a run that is there already, only what was said since is
    added.
    """
    tell_settled(*(TraceDirectory(path) for path in paths if not path.is_file()))
    imported = import_paths(open_own_history(), list(paths), warn)
    configuration = find_configuration()
    if configuration is not None:
        from rtrace.operations.history.keeping import complete_keeping

        complete_keeping(configuration, warn)
    if as_json:
        from rtrace.answers.history import answer_import

        give_json(answer_import(imported))
    else:
        there = f"; {count(imported.same, 'was', 'were')} there already" if imported.same else ""
        more = f", added to {count(imported.merged, 'other')}" if imported.merged else ""
        say(f"imported {count(imported.added, 'record')}{more}{there}")
    sys.exit(1 if imported.problems else 0)
