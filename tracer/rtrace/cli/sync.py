"""``rtrace sync``: two histories get what the other one has."""

from __future__ import annotations

import sys

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.run_table import open_own_history
from rtrace.cli.terminal.speaking import give_json, say, warn
from rtrace.errors import UsageError
from rtrace.operations.history.syncing import sync_histories
from rtrace.record.history.opening import open_history


@click.command(
    cls=RtraceCommand,
    statuses={"1": "a document could not be read; the others were taken"},
    examples=("rtrace sync /mnt/lab/history", "rtrace sync postgresql://ada@db.example.org/history"),
)
@JSON
@click.option(
    "--forget-many",
    is_flag=True,
    help="Forget more than ten runs in one history that the other has forgotten.",
)
@click.argument("place", metavar="URL|DIR")
def command(place: str, *, as_json: bool, forget_many: bool) -> None:
    """Give this history and another one what the other has: a folder, or a PostgreSQL database.

    Runs go both ways. Of a run that both have, what was said in either is kept. What was forgotten in one is forgotten
    in the other; when that are more than ten runs, --forget-many has to say that it is meant.
    """
    mine, theirs = open_own_history(), open_history(place, tell=warn)
    if mine.place == theirs.place:
        raise UsageError(f"{mine.place} is this history itself; name another one")
    synced = sync_histories(mine, theirs, warn, forget_many=forget_many)
    if as_json:
        from rtrace.answers.history import answer_sync

        give_json(answer_sync(synced))
    else:
        say(
            f"{synced.fetched} fetched, {synced.sent} sent, {synced.merged} joined"
            + (f", {synced.forgotten} forgotten" if synced.forgotten else "")
        )
    sys.exit(1 if synced.problems else 0)
