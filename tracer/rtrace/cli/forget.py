"""``rtrace forget``: remove runs from the history."""

from __future__ import annotations

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.history_options import NO_RUN
from rtrace.cli.terminal.run_table import open_own_history
from rtrace.cli.terminal.speaking import say


@click.command(cls=RtraceCommand, statuses=NO_RUN, examples=("rtrace forget last", "rtrace forget 0193a5c1 baseline"))
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
def command(runs: tuple[str, ...]) -> None:
    """Remove runs from the history. Their files, trace directories and bundles stay.

    A RUN is a label, the beginning of an id, last, or last~2 (two before the last). That they were forgotten is kept,
    by their ids alone, so that `rtrace sync` does not bring them back, and forgets them in the other history too.
    """
    history = open_own_history()
    catalogue = history.catalogue()
    chosen = {name: catalogue.resolve(name) for name in runs}
    named = {identifier: catalogue.short(identifier) for identifier in chosen.values()}
    catalogue.close()
    for identifier, short in named.items():
        history.remove(identifier)
        say(f"forgot {short}")
    history.catalogue().close()  # which forgets them, too
