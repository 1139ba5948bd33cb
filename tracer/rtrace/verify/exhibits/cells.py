"""Tables and arrays: the rows in which cells differ, each cell with both values."""

from __future__ import annotations

import csv
import io
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, BinaryIO

from rtrace.verify.exhibits.model import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS, Exhibit, Pair, Row, shorten
from rtrace.verify.kinds.contents import peek
from rtrace.verify.kinds.table import find_delimiter
from rtrace.verify.kinds.text import find_codec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD = 1 << 16
_LARGEST_CELL = 1 << 20
_LOOKED_AT = 2_000_000
"""Rows that are looked at."""


def draw_tables(expected: BinaryIO, found: BinaryIO) -> Exhibit:
    """Return the first rows that differ of two tables in text. Raises ValueError and csv.Error."""
    delimiter = find_delimiter(peek(expected, _HEAD)) or find_delimiter(peek(found, _HEAD))
    if delimiter is None:
        raise ValueError("neither of the two is a table")
    olds, news = (_read_rows(file, delimiter) for file in (expected, found))
    rows: list[tuple[str, list[str], list[str]]] = []
    header: list[str] = []
    more = False
    for number, (old, new) in enumerate(islice(zip_longest(olds, news), _LOOKED_AT), start=1):
        if number == 1 and old == new and old is not None:
            header = old
        if old != new:
            if len(rows) == MOST_ROWS:
                more = True
                break
            rows.append((str(number), old or [], new or []))
    return lay_out(header, rows, more=more)


def lay_out(header: Sequence[str], rows: Sequence[tuple[str, list[str], list[str]]], *, more: bool) -> Exhibit:
    """Return rows as an exhibit: columns in which something differs are there, and others as far as there is room."""
    width = max((max(len(old), len(new)) for _name, old, new in rows), default=0)
    differing = [at for at in range(width) if any(old[at : at + 1] != new[at : at + 1] for _name, old, new in rows)]
    kept = sorted([*differing, *(at for at in range(width) if at not in set(differing))][:MOST_COLUMNS])
    notes = []
    if more:
        notes.append("further rows differ, which are not shown")
    if width > len(kept):
        left_out = sum(at not in kept for at in differing)
        notes.append(f"{width - len(kept)} more columns, {left_out or 'none'} of which differ")
    names = [shorten(header[at] if at < len(header) else "", LONGEST_CELL) or f"column {at + 1}" for at in kept]
    shown = [
        Row(shorten(name, LONGEST_CELL), tuple(Pair(_cell(old, at), _cell(new, at)) for at in kept))
        for name, old, new in rows
    ]
    return Exhibit(columns=tuple(names), rows=tuple(shown), note="; ".join(notes))


def _cell(row: Sequence[str], at: int) -> str:
    return shorten(row[at], LONGEST_CELL) if at < len(row) else ""


def _read_rows(file: BinaryIO, delimiter: str) -> Iterator[list[str]]:
    codec = find_codec(file.read(4))
    file.seek(0)
    text = io.TextIOWrapper(file, codec, "surrogateescape" if codec == "utf-8" else "replace", newline="")
    csv.field_size_limit(_LARGEST_CELL)
    try:
        yield from csv.reader(text, delimiter=delimiter)
    finally:
        text.detach()
