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


def show_table(columns: Sequence[Column], rows: Callable[[], Iterable[Sequence[str]]]) -> int:
    """Write rows to standard output; return how many. ``rows`` is called twice on a terminal: to measure, and to write.

    Elsewhere there is no title, and one tab stands between two words, none of which can hold a tab: it is escaped.
    """
    number = 0
    if not (sys.stdout is not None and sys.stdout.isatty()):
        for row in rows():
            show_fields(row)
            number += 1
        return number
    widths = [len(column.title) for column in columns]
    for row in rows():
        number += 1
        for place, word in enumerate(row):
            widths[place] = max(widths[place], len(printable_text(word)))
    if number:
        show(_align([column.title for column in columns], columns, widths))
    for row in rows():
        show(_align([printable_text(word) for word in row], columns, widths))
    return number


def _align(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    words = [
        word.rjust(width) if column.numbers else word.ljust(width)
        for word, column, width in zip(row, columns, widths, strict=True)
    ]
    return "  ".join(words).rstrip()
