"""What a terminal shows in the end, as an SVG picture: text, colours of SGR sequences, bold type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_TEXT = "#c9d1d9"
_PALETTE = ("#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#c9d1d9")
# Numbers of SGR: the eight colours, the same eight in bright, the default; bold and how it ends.
_COLOURS = {first + place: colour for first in (30, 90) for place, colour in enumerate(_PALETTE)} | {39: _TEXT}
_BOLD = {1: True, 2: False, 22: False}
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
_WIDTH, _HEIGHT, _MARGIN = 7.8, 18, 16  # of a character, of a line, around all

Style = tuple[str, bool]
Line = list[tuple[str, Style]]


def lay_out(shown: str, columns: int) -> list[Line]:
    """Return the lines that a terminal shows in the end: long ones go on below, CR overwrites, `ESC [ K` erases."""
    lines: list[Line] = [[]]
    style: Style = (_TEXT, False)
    column = place = 0
    while place < len(shown):
        if control := _CONTROL.match(shown, place):
            place = control.end()
            if control[2] == "m":
                style = _restyle(style, control[1])
            elif control[2] == "K":
                del lines[-1][0 if control[1] == "2" else column :]
            continue
        character = shown[place]
        place += 1
        if character == "\n":
            lines.append([])
            column = 0
        elif character == "\r":
            column = 0
        elif character >= " ":
            if column == columns:
                lines.append([])
                column = 0
            lines[-1][column : column + 1] = [(character, style)]
            column += 1
    return lines[:-1] if not lines[-1] else lines


def _restyle(style: Style, numbers: str) -> Style:
    colour, bold = style
    for number in (int(text or 0) for text in numbers.split(";")):
        if number == 0:
            colour, bold = _TEXT, False
        elif number in _BOLD:
            bold = _BOLD[number]
        else:
            colour = _COLOURS.get(number, colour)
    return colour, bold


def draw(lines: list[Line], columns: int) -> str:
    """Return the lines as an SVG picture of a terminal."""
    width, height = columns * _WIDTH + 2 * _MARGIN, len(lines) * _HEIGHT + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}">',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13">',
        f'<rect width="{width:g}" height="{height}" rx="8" fill="#0d1117"/>',
    ]
    for row, line in enumerate(lines):
        spans = "".join(_span(*part) for part in _join(line))
        parts.append(f'<text y="{_MARGIN + row * _HEIGHT + 13}" xml:space="preserve">{spans}</text>')
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def _join(line: Line) -> Iterator[tuple[int, str, Style]]:
    """Yield the parts of a line that have one style: where each begins, its text and the style."""
    start = 0
    for column in range(1, len(line) + 1):
        if column == len(line) or line[column][1] != line[start][1]:
            yield start, "".join(character for character, _ in line[start:column]), line[start][1]
            start = column


def _span(start: int, text: str, style: Style) -> str:
    """Return a part of a line that has one style, which begins in the column ``start``."""
    colour, bold = style
    weight = ' font-weight="700"' if bold else ""
    place = f'x="{_MARGIN + start * _WIDTH:g}" textLength="{len(text) * _WIDTH:g}"'
    return f'<tspan {place} fill="{colour}"{weight}>{escape(text)}</tspan>'
