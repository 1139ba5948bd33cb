"""An exhibit: what of two contents a person is shown. It goes from the process that made it to the page as JSON."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple, TypeAlias

from rtrace.printable import printable_text

Span: TypeAlias = tuple[int, int]
"""A part of a line, as of a slice."""

LONGEST_LINE = 300
"""Characters of a line that are shown."""
LONGEST_CELL = 80
MOST_LINES = 60
MOST_ROWS = 25
MOST_COLUMNS = 12
MOST_PICTURES = 3
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_LARGEST_SIDE = 1 << 20


class Side(NamedTuple):
    """A line of one content: its number from 1, its text, and the parts that the other one does not have."""

    number: int
    text: str
    spans: tuple[Span, ...] = ()


class Lines(NamedTuple):
    """A line of both contents beside each other; None where a content has none. Both None: lines are left out here."""

    expected: Side | None
    found: Side | None

    @property
    def are_same(self) -> bool:
        """Whether the line is in both."""
        return self.expected is not None and self.found is not None and self.expected.text == self.found.text


class Pair(NamedTuple):
    """A value of both contents."""

    expected: str
    found: str


class Row(NamedTuple):
    """A row of a table in which something differs, by the name of the row."""

    name: str
    cells: tuple[Pair, ...]


class Picture(NamedTuple):
    """A picture drawn anew, as PNG or JPEG; ``title`` says whose it is, ``width`` and ``height`` are its own size."""

    title: str
    content: bytes
    width: int
    height: int

    @property
    def address(self) -> str:
        """The picture as the address of an image in a page."""
        kind = "png" if self.content.startswith(PNG) else "jpeg"
        return f"data:image/{kind};base64,{base64.b64encode(self.content).decode()}"


class Exhibit(NamedTuple):
    """What is shown of two contents; ``note`` says in a sentence what is not."""

    lines: tuple[Lines, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    pictures: tuple[Picture, ...] = ()
    note: str = ""

    @property
    def size(self) -> int:
        """About how many bytes of a page it takes."""
        sides = sum(150 + len(side.text) for pair in self.lines for side in pair if side is not None)
        cells = sum(60 + len(one.expected) + len(one.found) for row in self.rows for one in row.cells)
        return 500 + sides + cells + sum(len(one.content) * 4 // 3 for one in self.pictures)


def write_exhibit(exhibit: Exhibit) -> dict[str, object]:
    """Return an exhibit as JSON has it."""
    return {
        "lines": exhibit.lines,
        "columns": exhibit.columns,
        "rows": exhibit.rows,
        "pictures": [
            (one.title, base64.b64encode(one.content).decode(), one.width, one.height) for one in exhibit.pictures
        ],
        "note": exhibit.note,
    }


def read_exhibit(answer: object) -> Exhibit:
    """Read what a process that may be anybody's says an exhibit is. Raises ValueError."""
    match answer:
        case {
            "lines": list(lines),
            "columns": list(columns),
            "rows": list(rows),
            "pictures": list(pictures),
            "note": note,
        }:
            return Exhibit(
                tuple(map(_read_lines, lines[:MOST_LINES])),
                tuple(_read_text(one, LONGEST_CELL) for one in columns[:MOST_COLUMNS]),
                tuple(map(_read_row, rows[:MOST_ROWS])),
                tuple(map(_read_picture, pictures[:MOST_PICTURES])),
                _read_text(note, LONGEST_LINE),
            )
    raise ValueError("it is no exhibit")


def _read_lines(pair: object) -> Lines:
    match pair:
        case [one, other]:
            return Lines(_read_side(one), _read_side(other))
    raise ValueError("these are no lines")


def _read_side(side: object) -> Side | None:
    match side:
        case None:
            return None
        case [int(number), str(text), list(spans)]:
            return Side(number, _read_text(text, LONGEST_LINE), tuple(_read_span(one) for one in spans[:LONGEST_LINE]))
    raise ValueError("this is no line")


def _read_span(span: object) -> Span:
    match span:
        case [int(begin), int(end)] if 0 <= begin <= end <= LONGEST_LINE:
            return begin, end
    raise ValueError("this is no part of a line")


def _read_row(row: object) -> Row:
    match row:
        case [name, list(cells)]:
            return Row(_read_text(name, LONGEST_CELL), tuple(map(_read_pair, cells[:MOST_COLUMNS])))
    raise ValueError("this is no row")


def _read_pair(pair: object) -> Pair:
    match pair:
        case [one, other]:
            return Pair(_read_text(one, LONGEST_CELL), _read_text(other, LONGEST_CELL))
    raise ValueError("this is no cell")


def _read_picture(picture: object) -> Picture:
    match picture:
        case [title, str(content), int(width), int(height)] if 0 < width < _LARGEST_SIDE and 0 < height < _LARGEST_SIDE:
            try:
                decoded = base64.b64decode(content, validate=True)
            except binascii.Error as error:
                raise ValueError(str(error)) from None
            if decoded.startswith((PNG, JPEG)):
                return Picture(_read_text(title, LONGEST_CELL), decoded, width, height)
    raise ValueError("this is no picture")


def _read_text(text: object, most: int) -> str:
    if not isinstance(text, str) or len(text) > most or printable_text(text) != text:
        raise ValueError("this is no text that is short and printable")
    return text


def shorten(text: str, most: int) -> str:
    """Return a text as an exhibit has it: printable, and not longer than so many characters."""
    shown = printable_text(text[: most + 1])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
