"""``rtrace blame``: which run made a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.run_table import describe_row, open_own_history
from rtrace.cli.terminal.speaking import give_json, say, show, warn
from rtrace.operations.history.blaming import SHOWN, Blamed, blame_file
from rtrace.printable import printable
from rtrace.record.history.protocol import Catalogue, History
from rtrace.record.query import Query, Row


@click.command(
    cls=RtraceCommand,
    statuses={"0": "a run made it", "1": "no run in the history did"},
    examples=("rtrace blame figure3.pdf",),
)
@JSON
@click.argument("file", type=click.Path(path_type=Path))
def command(file: Path, *, as_json: bool) -> None:
    """Tell which run made FILE, wherever it was moved or renamed since.

    It is found by its content: its SHA-256 is looked for among what runs wrote. The newest run that wrote it comes
    first. Where no run wrote this content, the runs that read it are named, and those that used
    another content at this path.
    """
    history = open_own_history()
    blamed = blame_file(history, file)
    catalogue = history.catalogue()
    if as_json:
        from rtrace.answers.history import answer_blame

        give_json(answer_blame(blamed, catalogue.short))
    else:
        show_blamed(history, catalogue, file, blamed)
    catalogue.close()
    sys.exit(0 if blamed.made else 1)


def show_blamed(history: History, catalogue: Catalogue, file: Path, blamed: Blamed) -> None:
    """Write which runs made a file."""
    rows = {row.id: row for row in catalogue.find(Query(digest=blamed.sha256))} if blamed.made else {}
    for made in blamed.made:
        if made.run in rows:
            show(f"{describe(rows[made.run], catalogue)}  wrote {printable(made.path)}")
    if len(blamed.made) >= SHOWN:
        say(f"there may be more; `rtrace log --digest {blamed.sha256}` lists all that wrote or read it")
    if not blamed.made:
        warn(f"no run in {history.place} wrote this content of {file} (SHA-256 {blamed.sha256})")
        for row in blamed.read:
            show(f"{describe(row, catalogue)}  read this content")
        for row in blamed.by_path:
            show(f"{describe(row, catalogue)}  used a file of this path, with another content")


def describe(row: Row, catalogue: Catalogue) -> str:
    """Return a run in one line."""
    short, started, _took, status, *_rest, line = describe_row(row, catalogue.short(row.id), str)
    return f"{short}  {started}  {status}  {line}"
