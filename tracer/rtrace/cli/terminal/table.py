"""Rows of words for a person or a program: a measured table on a terminal, words between tabs elsewhere."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from rtrace.cli.terminal.speaking import show, show_fields
from rtrace.printable import printable_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_BETWEEN = "  "
_CUT = "..."


class Column(NamedTuple):
    """A column: its title, whether it holds numbers, which end where the column ends, and how narrow it may become.

    Where a terminal is too narrow for a table, the ends of words are left out of columns that have a ``least`` width.
    """

    title: str
    numbers: bool = False
    least: int | None = None


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
    widths = fit(columns, widths, _measure_terminal())
    if number:
        show(_align([column.title for column in columns], columns, widths))
    for row in rows():
        show(_align([printable_text(word) for word in row], columns, widths))
    return number


def fit(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """Return widths that fit into so many characters, as far as columns may become narrower, the widest first."""
    fitted = list(widths)
    least = [column.least or width for column, width in zip(columns, widths, strict=True)]
    over = sum(fitted) + len(_BETWEEN) * (len(fitted) - 1) - room
    while over > 0:
        place = max(range(len(fitted)), key=lambda one: (fitted[one] > least[one], fitted[one]))
        if fitted[place] <= least[place]:
            break
        fitted[place] -= 1
        over -= 1
    return fitted


def _measure_terminal() -> int:
    """Return how many characters a line of the terminal has; very many where it does not say."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or sys.maxsize
    except (OSError, ValueError):
        return sys.maxsize


def _cut(word: str, width: int) -> str:
    return word if len(word) <= width else word[: max(width - len(_CUT), 0)] + _CUT


def _align(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    words = [
        word.rjust(width) if column.numbers else _cut(word, width).ljust(width)
        for word, column, width in zip(row, columns, widths, strict=True)
    ]
    return _BETWEEN.join(words).rstrip()
