"""Rows of words for a person or a program: a measured table on a terminal, words between tabs elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from rtrace.cli.terminal.speaking import show, show_fields
from rtrace.printable import printable_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Column(NamedTuple):
    """A column: its title, and whether it holds numbers, which end where the column ends."""

    title: str
    numbers: bool = False


def show_table(columns: Sequence[Column], rows: Callable[[], Iterable[Sequence[str]]]) -> None:
    """Write rows to standard output. ``rows`` is called twice on a terminal: to measure them, and to write them.

    Elsewhere there is no title, and one tab stands between two words, none of which can hold a tab: it is escaped.
    """
    if not (sys.stdout is not None and sys.stdout.isatty()):
        for row in rows():
            show_fields(row)
        return
    widths = [len(column.title) for column in columns]
    empty = True
    for row in rows():
        empty = False
        for number, word in enumerate(row):
            widths[number] = max(widths[number], len(printable_text(word)))
    if not empty:
        show(_align([column.title for column in columns], columns, widths))
    for row in rows():
        show(_align([printable_text(word) for word in row], columns, widths))


def _align(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    words = [
        word.rjust(width) if column.numbers else word.ljust(width)
        for word, column, width in zip(row, columns, widths, strict=True)
    ]
    return "  ".join(words).rstrip()
