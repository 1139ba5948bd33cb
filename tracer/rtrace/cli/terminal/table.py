"""Rows of words for a person or a program: a measured table on a terminal, words between tabs elsewhere."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

from rtrace.cli.terminal.speaking import can_show, show, show_fields
from rtrace.printable import printable_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_BETWEEN = "  "
_CUT = "…"


class Column(NamedTuple):
    """A column: its title, whether it holds numbers, which end where the column ends, and how narrow it may become.

    Where a terminal is too narrow for a table, the ends of words are left out of columns that have a ``least`` width;
    where that is not enough, the columns become ``narrower``, one step after the other.
    """

    title: str
    numbers: bool = False
    least: int | None = None
    narrower: tuple[int, ...] = ()


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
            widths[place] = max(widths[place], measure(printable_text(word)))
    widths = fit(columns, widths, shutil.get_terminal_size((sys.maxsize, 0)).columns)
    if number:
        show(_align([column.title for column in columns], columns, widths))
    for row in rows():
        show(_align([printable_text(word) for word in row], columns, widths))
    return number


def fit(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """Return widths that fit into so many characters, as far as columns may become narrower, the widest first."""
    fitted = list(widths)
    over = sum(fitted) + len(_BETWEEN) * (len(fitted) - 1) - room
    least = [column.least or width for column, width in zip(columns, widths, strict=True)]
    for step in range(1 + max(len(column.narrower) for column in columns)):
        if step:
            narrower = [column.narrower[step - 1 : step] or (old,) for column, old in zip(columns, least, strict=True)]
            least = [width for (width,) in narrower]
        while over > 0:
            place = max(range(len(fitted)), key=lambda one: (fitted[one] > least[one], fitted[one]))
            if fitted[place] <= least[place]:
                break
            fitted[place] -= 1
            over -= 1
    return fitted


def measure(word: str) -> int:
    """Return how many columns of a terminal a word takes: letters of East Asia take two, marks on letters none."""
    if word.isascii():
        return len(word)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in word)


def _cut(word: str, width: int, mark: str) -> str:
    """Return a word that is as wide as its column at most; what stands for its end counts."""
    if measure(word) <= width:
        return word
    kept = word[:width]
    while kept and measure(kept) > width - len(mark):
        kept = kept[:-1]
    return kept + mark


def _find_mark() -> str:
    """Return what stands for the end of a word, if standard output can show it."""
    return _CUT if can_show(_CUT) else "..."


def _align(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    mark = _find_mark()
    words = []
    for word, column, width in zip(row, columns, widths, strict=True):
        shown = _cut(word, width, mark)
        blanks = " " * (width - measure(shown))
        words.append(blanks + word if column.numbers else shown + blanks)
    return _BETWEEN.join(words).rstrip()
