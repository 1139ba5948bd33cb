"""``rtrace show``: the record of a run."""

from __future__ import annotations

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.history_options import NO_RUN
from rtrace.cli.terminal.run_table import open_own_history
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.operations.history.showing import describe_record


@click.command(
    cls=RtraceCommand,
    statuses=NO_RUN,
    examples=("rtrace show last", "rtrace show --all baseline", "rtrace show --json 0193a5c1"),
)
@JSON
@click.option("--all", "show_all", is_flag=True, help="All that is known, however long.")
@click.argument("run", metavar="RUN", default="last")
def command(run: str, *, as_json: bool, show_all: bool) -> None:
    """Show the record of RUN: who ran what, when, where, on what and why, and what came of it.

    A RUN is a label, the beginning of an id, last, or last~2 (two before the last). With --json, the whole record.
    """
    history = open_own_history()
    catalogue = history.catalogue()
    record = history.read(catalogue.resolve(run))
    catalogue.close()
    if as_json:
        from rtrace.answers.history import answer_show

        give_json(answer_show(record))
        return
    for line in describe_record(record, whole=show_all):
        show(line)
