"""``rtrace diff``: what differs between two runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.run_table import open_own_history
from rtrace.cli.terminal.speaking import give_json, say, show
from rtrace.printable import count_more, shorten
from rtrace.record.diff import SECTIONS, compare_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.record.diff import Change

SHOWN = 50


@click.command(
    cls=RtraceCommand,
    statuses={"0": "nothing differs", "1": "something differs, or there is no such run"},
    examples=("rtrace diff last~1 last", "rtrace diff --only code --only parameters baseline 0193a5c1"),
)
@JSON
@click.option("--only", "sections", type=click.Choice(SECTIONS), multiple=True, help="Only this section.")
@click.option("--all", "show_all", is_flag=True, help=f"All lines of a section, also beyond {SHOWN}.")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
def command(before: str, after: str, *, as_json: bool, sections: tuple[str, ...], show_all: bool) -> None:
    """Tell what differs between two runs: code, inputs, parameters, packages, environment, machine, outputs.

    A RUN is a label, the beginning of an id, last, or last~2 (two before the last). Files below the folder that a run
    was in are compared by their paths from there.
    """
    history = open_own_history()
    catalogue = history.catalogue()
    ids = catalogue.resolve(before), catalogue.resolve(after)
    catalogue.close()
    difference = compare_records(*map(history.read, ids))
    if as_json:
        from rtrace.answers.history import answer_diff

        give_json(answer_diff(*ids, difference))
        sys.exit(not difference.is_empty)
    chosen = {name: difference.sections[name] for name in sections or SECTIONS}
    for name, changes in chosen.items():
        if changes:
            show_section(name, changes, len(changes) if show_all else SHOWN)
    if not any(chosen.values()):
        say("nothing differs")
    sys.exit(1 if any(chosen.values()) else 0)


def show_section(name: str, changes: Sequence[Change], shown: int) -> None:
    """Write what differs in a section: `-` is in the first run alone, `+` in the second, `~` in both."""
    show(f"{name}:")
    for change in changes[:shown]:
        if change.before is None:
            show(f"  + {change.what}: {shorten(change.after or '')}")
        elif change.after is None:
            show(f"  - {change.what}: {shorten(change.before)}")
        else:
            show(f"  ~ {change.what}: {shorten(change.before)} -> {shorten(change.after)}")
    if len(changes) > shown:
        show(f" {count_more(len(changes) - shown)} (--all shows them)")
