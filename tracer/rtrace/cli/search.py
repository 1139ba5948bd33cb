"""``rtrace search``: the runs in which a text was found."""

from __future__ import annotations

import sys
from typing import Any

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.history_options import filtered, make_query
from rtrace.cli.terminal.run_table import describe_row, open_own_history
from rtrace.cli.terminal.speaking import give_json, say, show
from rtrace.errors import RtraceError, UsageError
from rtrace.printable import count
from rtrace.record.history.protocol import History
from rtrace.record.query import Row

SHOWN = 20


@click.command(
    cls=RtraceCommand,
    statuses={"0": "there are such runs", "1": "no run has the text"},
    examples=("rtrace search diverged", 'rtrace search "spin-up" results.csv'),
)
@JSON
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(0, 1 << 31),
    default=SHOWN,
    show_default=True,
    metavar="N",
    help="At most so many; 0 for all.",
)
@filtered
@click.argument("words", metavar="TEXT...", nargs=-1, required=True)
def command(words: tuple[str, ...], *, as_json: bool, limit: int, **filters: Any) -> None:  # noqa: ANN401 -- of several types
    """Find the runs that have TEXT in them, the newest first, and show where.

    Every word has to be somewhere in the reason, outcome, label or tags of a run, in its command, in its parameters, in
    the paths of what it read, ran and wrote, or in what it printed. Words in one pair of quotes have to stand together;
    `plot*` is any word that begins so.
    """
    from rtrace.record.stores.terms import read_terms

    text = tuple(f'"{word}"' if " " in word and '"' not in word else word for word in words)
    if not read_terms(" ".join(text)):
        raise UsageError("there is no word in what to search for; write letters or digits")
    history = open_own_history()
    catalogue = history.catalogue()
    query = make_query(filters, text, limit or None)
    rows = catalogue.find(query)
    total = catalogue.count(query) if len(rows) == limit else len(rows)
    found = [(row, find_in(history, row, " ".join(text))) for row in rows]
    if as_json:
        from rtrace.answers.history import answer_search

        give_json(answer_search(history.place, found, total, catalogue.short))
    else:
        for row, places in found:
            short, started, _took, status, *_rest, line = describe_row(row, catalogue.short(row.id), str)
            show(f"{short}  {started}  {status}  {line}")
            for place in places:
                show(f"    {place}")
        if total > len(rows):
            say(f"{count(total - len(rows), 'more run')}; --limit 0 lists all")
        elif not rows:
            say(f"no run in {history.place} has that")
    catalogue.close()
    sys.exit(0 if rows else 1)


def find_in(history: History, row: Row, text: str) -> list[str]:
    """Return where a text stands in the record of a run; nothing where that cannot be read any more."""
    from rtrace.operations.history.searching import find_places

    try:
        return find_places(history.read(row.id), text)
    except RtraceError:
        return []
