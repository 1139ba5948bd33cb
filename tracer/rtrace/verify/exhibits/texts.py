"""Texts side by side: the first lines that differ, with some before them; and bytes, where they are no text."""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, BinaryIO

from rtrace.printable import printable_text
from rtrace.verify.exhibits.model import LONGEST_LINE, MOST_LINES, Exhibit, Lines, Side, Span, shorten
from rtrace.verify.kinds.contents import PART, find_difference
from rtrace.verify.kinds.model import Findings, Rule
from rtrace.verify.kinds.text import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CONTEXT = 3
"""Lines that are the same, before and after those that differ."""
_LOOKED_AT = 200
"""Lines of each text that are compared with each other, from the first one that differs."""
_BEGINNING = 12
"""Lines of a text that only one side has."""
_WIDTH = 8
"""Bytes on a line."""
_LARGEST_DOCUMENT = 4 << 20
_WORDS = re.compile(r"\w+|\s+|.", re.DOTALL)
_UNPRINTABLE = re.compile(rb"[^ -~]")
_LINES_LEFT_OUT = Lines(None, None)


def draw_texts(expected: BinaryIO, found: BinaryIO) -> Exhibit:
    """Return two texts from their first difference on."""
    return draw_lines(_read(expected), _read(found))


def draw_document(expected: BinaryIO, found: BinaryIO) -> Exhibit:
    """Return two JSON documents laid out in the same way, or as they are where they are large. Raises ValueError."""
    contents = [file.read(_LARGEST_DOCUMENT + 1) for file in (expected, found)]
    if max(map(len, contents)) > _LARGEST_DOCUMENT:
        expected.seek(0)
        found.seek(0)
        return draw_texts(expected, found)
    old, new = (json.dumps(json.loads(one), indent=1, sort_keys=True).splitlines() for one in contents)
    shown = draw_lines(iter(old), iter(new))
    return shown._replace(note="; ".join(filter(None, ("laid out anew, with keys in order", shown.note))))


def draw_lines(expected: Iterator[str], found: Iterator[str]) -> Exhibit:
    """Return two texts by their lines."""
    before: list[str] = []
    for number, (old, new) in enumerate(zip_longest(expected, found)):
        if old != new:
            window = [
                [] if first is None else [first, *islice(rest, _LOOKED_AT)]
                for first, rest in ((old, expected), (new, found))
            ]
            return _draw_window(number - len(before), before, window[0], window[1])
        before = [*before[1 - _CONTEXT :], old] if len(before) >= _CONTEXT else [*before, old]
    return Exhibit()


def _draw_window(first: int, before: Sequence[str], old: list[str], new: list[str]) -> Exhibit:
    """Return what differs of two parts of texts; ``first`` lines stand before all that is given."""
    cut = max(len(old), len(new)) > _LOOKED_AT
    parts = [*before, *old[:_LOOKED_AT]], [*before, *new[:_LOOKED_AT]]
    shown: list[Lines] = []
    for number, group in enumerate(SequenceMatcher(None, *parts, autojunk=False).get_grouped_opcodes(_CONTEXT)):
        if number:
            shown.append(_LINES_LEFT_OUT)
        for tag, *bounds in group:
            shown += _pair(tag, parts, bounds, first)
    note = ""
    if cut or len(shown) > MOST_LINES:
        note = "what comes further down is not shown"
    return Exhibit(lines=tuple(shown[:MOST_LINES]), note=note)


def _pair(tag: str, parts: tuple[list[str], list[str]], bounds: list[int], first: int) -> Iterator[Lines]:
    old_begin, old_end, new_begin, new_end = bounds
    olds = [(first + at + 1, parts[0][at]) for at in range(old_begin, old_end)]
    news = [(first + at + 1, parts[1][at]) for at in range(new_begin, new_end)]
    for old, new in zip_longest(olds, news):
        if old is None or new is None or tag == "equal":
            yield Lines(*(None if one is None else _show(*one) for one in (old, new)))
        else:
            texts, spans = mark(old[1], new[1])
            yield Lines(Side(old[0], texts[0], spans[0]), Side(new[0], texts[1], spans[1]))


def _read(file: BinaryIO) -> Iterator[str]:
    """Yield all lines of a text, without their ends."""
    return (line for _number, line in read_lines(file, Findings("text", Rule())))


def _show(number: int, line: str) -> Side:
    return Side(number, shorten(line.expandtabs(4), LONGEST_LINE))


def mark(old: str, new: str) -> tuple[tuple[str, str], tuple[tuple[Span, ...], tuple[Span, ...]]]:
    """Return two lines that differ, as they are shown, and the parts of each that the other one does not have.

    Of long lines a part is shown, around the place where they begin to differ.
    """
    texts = old.expandtabs(4), new.expandtabs(4)
    if texts[0] == texts[1]:
        texts = old, new
    at = find_difference(*texts)
    begin = max(0, at - LONGEST_LINE // 3) if max(map(len, texts)) > LONGEST_LINE else 0
    start = "…" if begin else ""
    shown = (
        shorten(start + texts[0][begin : begin + 2 * LONGEST_LINE], LONGEST_LINE),
        shorten(start + texts[1][begin : begin + 2 * LONGEST_LINE], LONGEST_LINE),
    )
    words = _WORDS.findall(shown[0]), _WORDS.findall(shown[1])
    places = _measure(words[0]), _measure(words[1])
    matched = SequenceMatcher(None, *words, autojunk=False)
    spans: tuple[list[Span], list[Span]] = ([], [])
    for tag, old_begin, old_end, new_begin, new_end in matched.get_opcodes():
        if tag == "equal":
            continue
        for side, (first, last) in enumerate(((old_begin, old_end), (new_begin, new_end))):
            if first < last:
                spans[side].append((places[side][first], places[side][last]))
    return shown, (tuple(spans[0]), tuple(spans[1]))


def _measure(words: Iterable[str]) -> list[int]:
    """Return where each word begins, and where the last one ends."""
    places = [0]
    for word in words:
        places.append(places[-1] + len(word))
    return places


def draw_bytes(expected: BinaryIO, found: BinaryIO) -> Exhibit:
    """Return the bytes around the first difference, eight a line, with the offset of the first one as its number."""
    done = 0
    while True:
        one, other = expected.read(PART), found.read(PART)
        if one != other:
            break
        if not one:
            return Exhibit()
        done += len(one)
    begin = max(0, (done + find_difference(one, other)) // _WIDTH * _WIDTH - _WIDTH)
    rows = []
    for file in (expected, found):
        file.seek(begin)
        part = file.read(4 * _WIDTH)
        rows.append([part[at : at + _WIDTH] for at in range(0, len(part), _WIDTH)])
    shown = []
    for number, (old, new) in enumerate(zip_longest(*rows)):
        spans = [(3 * at, 3 * at + 2) for at in range(_WIDTH) if (old or b"")[at : at + 1] != (new or b"")[at : at + 1]]
        shown.append(Lines(*(_show_bytes(begin + number * _WIDTH, one, spans) for one in (old, new))))
    return Exhibit(lines=tuple(shown), note="bytes in hexadecimal, with the offset of the first one of each line")


def _show_bytes(offset: int, part: bytes | None, spans: Iterable[Span]) -> Side | None:
    if not part:
        return None
    text = part.hex(" ").ljust(3 * _WIDTH) + _UNPRINTABLE.sub(b".", part).decode("ascii")
    return Side(offset, printable_text(text), tuple(span for span in spans if span[1] <= 3 * len(part)))


def draw_one(content: BinaryIO, *, is_expected: bool) -> Exhibit:
    """Return the beginning of a text that the other side has not at all."""
    lines = list(islice(_read(content), _BEGINNING + 1))
    sides = [_show(number, line) for number, line in enumerate(lines[:_BEGINNING], start=1)]
    note = "what comes further down is not shown" if len(lines) > _BEGINNING else ""
    return Exhibit(lines=tuple(Lines(side, None) if is_expected else Lines(None, side) for side in sides), note=note)
