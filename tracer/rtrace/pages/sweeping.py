"""The page of a sweep: how many combinations came out well on top, then a row for each, and how to do it again."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.pages.values import shorten_text, show_duration
from rtrace.pages.whole import make_page
from rtrace.printable import count, format_size
from rtrace.sweep.table import join_digests, make_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.operations.sweeping.plan import Sweep
    from rtrace.operations.sweeping.sweep import Swept
    from rtrace.sweep.rows import State
    from rtrace.sweep.table import Line

MOST_ROWS = 2_000
"""On a page; the CSV has all."""
_MOST_COLUMNS = 40
"""Of numbers, and of outputs."""
_LONGEST_CELL = 120
LOOKS: dict[State, str] = {"done": "good", "interrupted": "plain", "incomplete": "warn"}
"""Of states: a class of the style; the others are bad."""
MEANINGS: dict[State, str] = {
    "done": "exit status 0, all outputs there",
    "failed": "another exit status",
    "killed": "ended by a signal",
    "limit": "ended by a limit",
    "incomplete": "an output is not there",
    "error": "rtrace could not replay it",
    "lost": "its replay was killed",
    "interrupted": "was not replayed",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, a class of the style, and whether it names the row."""

    text: str
    look: str = ""
    is_header: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A number of combinations that ended in the same way."""

    number: int
    state: State
    look: str
    meaning: str


def make_sweep_page(sweep: Sweep, swept: Swept, command: Sequence[str]) -> bytes:
    """Return the page of a sweep, one file; ``command`` does it again."""
    shown = swept.lines[:MOST_ROWS]
    columns, rows, left_out = make_rows(sweep, shown)
    states = [line.row.state for line in swept.lines]
    done = states.count("done")
    all_of = count(len(states), "combination")
    return make_page(
        "sweep/page.html",
        title=f"All {all_of} done" if swept.is_good else f"{done} of {all_of} done",
        look="good" if swept.is_good else "warn" if done else "bad",
        bundle=sweep.bundle.name,
        identity=sweep.identity,
        axes=[(axis.kind, axis.name, ", ".join(axis.values)) for axis in sweep.axes],
        cards=[
            Card(states.count(state), state, LOOKS.get(state, "bad"), meaning)
            for state, meaning in MEANINGS.items()
            if state in states
        ],
        columns=columns,
        rows=rows,
        columns_left_out=left_out,
        rows_left_out=len(swept.lines) - len(shown),
        troubles=[
            (line.combination.name, line.row.state, LOOKS.get(line.row.state, "bad"), note)
            for line in shown
            if not line.row.is_good
            for note in line.row.notes[:5]
        ][:100],
        command=[shorten_text(word, 2000) for word in command],
    )


def make_rows(sweep: Sweep, lines: Sequence[Line]) -> tuple[list[Cell], list[list[Cell]], int]:
    """Return the heads of the columns, the cells of each row, and how many columns are left out."""
    table = make_table(sweep.axes, lines)
    numbers = [column for column in table.columns if column.kind == "number"]
    outputs = list(dict.fromkeys(made.name for line in lines for made in line.row.outputs))
    letters = {name: name_contents(name, lines) for name in outputs[:_MOST_COLUMNS]}
    left_out = table.left_out + max(0, len(numbers) - _MOST_COLUMNS) + max(0, len(outputs) - _MOST_COLUMNS)
    numbers = numbers[:_MOST_COLUMNS]
    heads = [*((axis.label, "") for axis in sweep.axes), ("state", ""), ("exit status", "value")]
    heads += [*((column.name, "value") for column in numbers), *((name, "") for name in letters)]
    columns = [Cell(text, look) for text, look in (*heads, ("time", "value"), ("memory", "value"))]
    rows = []
    for place, line in enumerate(lines):
        row = line.row
        cells = [Cell(shorten_text(value, _LONGEST_CELL), "code", is_header=True) for value in line.combination.values]
        cells.append(Cell(row.state, f"badge {LOOKS.get(row.state, 'bad')}"))
        cells.append(Cell("" if row.exit_status is None else str(row.exit_status), "value"))
        cells += [Cell(column.cells[place], "value") for column in numbers]
        cells += [describe_output(name, line, known) for name, known in letters.items()]
        cells.append(Cell(show_duration(row.seconds), "value"))
        cells.append(Cell("" if row.memory is None else format_size(row.memory), "value"))
        rows.append(cells)
    return columns, rows, left_out


def name_contents(name: str, lines: Sequence[Line]) -> dict[str, str]:
    """Return a letter for each content that an output has: A for the first, and the same for the same bytes."""
    digests = dict.fromkeys(find_digest(name, line) for line in lines)
    return {digest: write_letters(place) for place, digest in enumerate(one for one in digests if one)}


def describe_output(name: str, line: Line, known: dict[str, str]) -> Cell:
    """Return size and content of an output."""
    made = [one for one in line.row.outputs if one.name == name]
    if not made:
        return Cell("missing" if name in line.row.missing else "", "warning")
    size = format_size(sum(one.size for one in made))
    return Cell(f"{known[find_digest(name, line)]} · {size}", "time")


def find_digest(name: str, line: Line) -> str:
    """Return the digest of an output, or of all its files."""
    return join_digests([one for one in line.row.outputs if one.name == name])


def write_letters(place: int) -> str:
    """Return A for 0, B for 1, AA for 26."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = string.ascii_uppercase[rest] + letters
    return letters
