"""``rtrace log``: the runs of the history."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.history_options import filtered, make_query
from rtrace.cli.terminal.run_table import open_own_history, show_runs
from rtrace.cli.terminal.speaking import give, give_json, say, warn
from rtrace.errors import RtraceError, UsageError
from rtrace.printable import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rtrace.record.history.protocol import History
    from rtrace.record.query import Query, Row

SHOWN = 50
"""Runs that are listed on a terminal without --limit."""
_MOST = 1 << 31


@click.command(
    cls=RtraceCommand,
    examples=(
        "rtrace log",
        "rtrace log --tag baseline --since 2026-11-01 --status failed",
        "rtrace log --param rate=0.1 diverged",
        "rtrace log --dump > history.jsonl",
    ),
)
@JSON
@click.option("--csv", "as_csv", is_flag=True, help="Write comma-separated values, with a line of titles.")
@click.option("--dump", is_flag=True, help="Write the whole records, one a line, as `rtrace import` reads them.")
@click.option(
    "-n", "--limit", type=click.IntRange(0, _MOST), metavar="N", help="At most so many, the newest; 0 for all."
)
@click.option("--rebuild", is_flag=True, help="Make the catalogue again from the records first.")
@filtered
@click.argument("words", metavar="[TEXT]...", nargs=-1)
def command(
    words: tuple[str, ...],
    *,
    as_json: bool,
    as_csv: bool,
    dump: bool,
    limit: int | None,
    rebuild: bool,
    **filters: Any,  # noqa: ANN401 -- options of several types
) -> None:
    """List the runs of the history, the newest first; with options or TEXT, those that fit all of them.

    The history is a folder in the user's state folder, or what RTRACE_HISTORY names. TEXT is looked for in what was
    said of a run, in its command and parameters, the paths of its files and what it printed; `plot*` is any word that
    begins so.

    On a terminal a table of the newest runs; elsewhere a line for each run, with tabs between the fields.
    """
    if as_json + as_csv + dump > 1:
        raise UsageError("--json, --csv and --dump contradict each other; choose one")
    history = open_own_history()
    if rebuild:
        rebuild_index(history)
    catalogue = history.catalogue()
    for _identifier, why in catalogue.unread():
        warn(why)
    plain = not (as_json or as_csv or dump)
    if limit is None and plain and sys.stdout is not None and sys.stdout.isatty():
        limit = SHOWN
    query = make_query(filters, words, limit or None)
    rows = catalogue.find(query)
    if dump:
        dump_records(history, [row.id for row in rows])
    elif as_json:
        from rtrace.answers.history import answer_log

        give_json(answer_log(history.place, rows, catalogue.count(query), catalogue.short))
    elif as_csv:
        give_csv(rows)
    else:
        show_runs(rows, catalogue.short)
        tell_of_others(rows, query, lambda: catalogue.count(query), history)
    catalogue.close()


def tell_of_others(rows: list[Row], query: Query, count_all: Callable[[], int], history: History) -> None:
    """Say how many runs are not shown, or that there is none."""
    if not rows:
        from rtrace.record.query import Query as Everything

        asked = query != Everything(limit=query.limit)
        say(f"no run in {history.place} fits" if asked else f"there is no run in {history.place} yet")
    elif query.limit is not None and len(rows) == query.limit:
        more = count_all() - len(rows)
        if more:
            say(f"{count(more, 'more run')}; --limit 0 lists all")


def rebuild_index(history: History) -> None:
    """Make the index again, and say of how many records."""
    from rtrace.cli.terminal.progress_bar import progress

    bar = progress()
    total = sum(1 for _ in history.identifiers())
    bar.start("indexing", total, "files")
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        bar.advance(number - done)
        done = number

    try:
        made = history.rebuild(advance)
    finally:
        bar.finish()
    say(f"made the catalogue again from {count(made, 'record')}")


def dump_records(history: History, identifiers: Iterable[str]) -> None:
    """Write whole records, one a line."""
    from rtrace.record.writing import write_record

    for identifier in identifiers:
        document = history.read_document(identifier)
        try:
            if document is None or not document.isascii() or document.count(b"\n") != 1 or document[-1:] != b"\n":
                document = write_record(history.read(identifier))
        except RtraceError as error:
            warn(str(error))
        else:
            give(document)


def give_csv(rows: Iterable[Row]) -> None:
    """Write rows as comma-separated values; what a terminal would obey is escaped."""
    import csv
    import io
    import shlex

    from rtrace.printable import printable_text, protect_cell
    from rtrace.record.times import write_time

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names: list[str] = []
    for row in rows:
        values = {name: getattr(row, name) for name in row.__slots__}
        values["started"] = None if row.started is None else write_time(row.started)
        values["tags"] = " ".join(row.tags)
        values["arguments"] = shlex.join(row.arguments)
        if not names:
            names = list(values)
            writer.writerow(names)
        writer.writerow(
            [protect_cell(printable_text(value)) if isinstance(value, str) else value for value in values.values()]
        )
    give(text.getvalue().encode("utf-8", "backslashreplace"))
