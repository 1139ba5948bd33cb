"""The numbers that an output tells: behind a label, at the top of a JSON object, in a CSV table of one row.

    accuracy: 0.93      loss = 1.2e-4      time: 3.2 s      {"score": 0.93}      a,b
                                                                                 1,2

A number keeps the digits that the program wrote. Where a label comes again, as in each round of a training, the last
counts. SVG, HTML and XML tell none. What a program wrote may be anything: at most so much is read of it, and so many
numbers are taken.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 1 << 20
"""Bytes of a file in which numbers are looked for; of a longer stream, its end."""
MOST_NUMBERS = 50
"""Of one output."""
_LONGEST_LINE = 1000
_LONGEST_LABEL = 80
_LONGEST_NUMBER = 40

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4})?"
_WHOLE_NUMBER = re.compile(_NUMBER)
_MARKUP = re.compile(r"\s*<[?!A-Za-z]")
_WORD = r"[^\W\d][\w.%²-]*"
_LABELLED = re.compile(
    rf"(?<![\w./:-])({_WORD}(?: {_WORD}){{0,3}})\s*([:=])\s*({_NUMBER})"
    r"(?:[^\W\d]{1,3}\b|%)?(?![\w:/-]|\.\w|,\d)"  # a unit; and no date, time, version or address
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its label, as it is written in an output (``source``: its name, or ``stdout``)."""

    source: str
    label: str
    text: str


def find_numbers(source: str, content: bytes) -> tuple[Number, ...]:
    """Return the numbers of an output, each label once, in the order in which the labels come first."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ()
    if "\0" in text:
        return ()
    found: dict[str, str] = {}
    for label, number in _find(text):
        if label in found or len(found) < MOST_NUMBERS:
            found[label] = number
    return tuple(Number(source, label, number) for label, number in found.items())


def _find(text: str) -> Iterator[tuple[str, str]]:
    if text.lstrip().startswith(("{", "[")):
        pairs = _read_json(text)
        if pairs is not None:
            yield from pairs
            return
    pairs = _read_table(text)
    if pairs is not None:
        yield from pairs
        return
    if _MARKUP.match(text):  # what has a label there tells how something looks
        return
    for line in text.splitlines():
        for match in _LABELLED.finditer(line[:_LONGEST_LINE]):
            label, sign, number = match.groups()
            # `fit.py:12` is a place in a file, and `fit.score: 12` is none.
            is_place = sign == ":" and "." in label.rpartition(" ")[2] and match[0].endswith(sign + number)
            if not is_place and len(label) <= _LONGEST_LABEL and len(number) <= _LONGEST_NUMBER:
                yield label, number


def _read_json(text: str) -> list[tuple[str, str]] | None:
    """Return the numbers of an object by their keys; None for what is no JSON."""
    try:
        value = json.loads(text, parse_float=_Digits, parse_int=_Digits, parse_constant=lambda _name: None)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return []
    return [(key, str(one)) for key, one in value.items() if isinstance(one, _Digits) and _is_short(key, one)]


class _Digits(str):
    """A number of JSON as it is written, which no string is."""

    __slots__ = ()


def _is_short(label: str, number: str) -> bool:
    return 0 < len(label) <= _LONGEST_LABEL and len(number) <= _LONGEST_NUMBER


def _read_table(text: str) -> list[tuple[str, str]] | None:
    """Return the numbers of a table of one row below a line of names; None for what is no such table."""
    lines = text.splitlines()
    if len(lines) != 2 or not lines[0]:  # noqa: PLR2004 -- names, values
        return None
    delimiter = max(",;\t", key=lines[0].count)
    try:
        names, values = csv.reader(io.StringIO(text), delimiter=delimiter)
    except (csv.Error, ValueError):
        return None
    is_table = len(names) == len(values) > 1 and len(set(names)) == len(names)
    if not is_table or any(_WHOLE_NUMBER.fullmatch(name.strip()) for name in names):
        return None
    pairs = [(name.strip(), value.strip()) for name, value in zip(names, values, strict=True)]
    return [(name, value) for name, value in pairs if _WHOLE_NUMBER.fullmatch(value) and _is_short(name, value)]
