"""The syntax of PDF as far as dictionaries need it (ISO 32000-1, 7.2 and 7.3); values stay as they are written."""

from __future__ import annotations

import re

from rtrace.figures.stamp import UnfitError

_MOST_NESTED = 32
_BLANK = re.compile(rb"(?:[\0\t\n\f\r ]|%[^\r\n]*)*")
_REFERENCE = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R(?![^\0\t\n\f\r ()<>\[\]{}/%])")
_NAME = re.compile(rb"/[^\0\t\n\f\r ()<>\[\]{}/%]*")
_WORD = re.compile(rb"[^\0\t\n\f\r ()<>\[\]{}/%]+")
_HEXADECIMAL = re.compile(rb"<[0-9A-Fa-f\0\t\n\f\r ]*>")
_IN_TEXT = re.compile(rb"[()]|\\.", re.DOTALL)
_HEADER = re.compile(rb"[\0\t\n\f\r ]*(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj")

Dictionary = dict[bytes, bytes]


def read_dictionary(data: bytes, place: int, depth: int = 0) -> tuple[Dictionary, int]:
    """Return the dictionary at a place, its values as they are written, and where it ends. Raises UnfitError."""
    place = skip_blank(data, place)
    if not data.startswith(b"<<", place):
        raise UnfitError("its structure is damaged: a dictionary is missing")
    place += 2
    found: Dictionary = {}
    while True:
        place = skip_blank(data, place)
        if data.startswith(b">>", place):
            return found, place + 2
        name = _NAME.match(data, place)
        if name is None:
            raise UnfitError("its structure is damaged: a dictionary has something else than a name")
        start = skip_blank(data, name.end())
        place = skip_value(data, start, depth + 1)
        found[name[0]] = data[start:place]


def skip_value(data: bytes, place: int, depth: int = 0) -> int:
    """Return where the value ends that stands at a place. Raises UnfitError."""
    if depth > _MOST_NESTED:
        raise UnfitError("its structure is nested too deeply")
    if data.startswith(b"<<", place):
        return read_dictionary(data, place, depth)[1]
    if data.startswith(b"(", place):
        return _skip_text(data, place)
    if data.startswith(b"[", place):
        place = skip_blank(data, place + 1)
        while not data.startswith(b"]", place):
            place = skip_blank(data, skip_value(data, place, depth + 1))
        return place + 1
    for pattern in (_HEXADECIMAL, _REFERENCE, _NAME, _WORD):
        if (match := pattern.match(data, place)) is not None:
            return match.end()
    raise UnfitError("its structure is damaged: a value is missing")


def skip_blank(data: bytes, place: int) -> int:
    """Return where the next thing stands that is neither white space nor a comment."""
    match = _BLANK.match(data, place)
    return place if match is None else match.end()


def read_reference(value: bytes) -> tuple[int, int] | None:
    """Return number and generation of the object that a value refers to; None for another value."""
    match = _REFERENCE.fullmatch(value)
    return None if match is None else (int(match[1]), int(match[2]))


def read_header(data: bytes, place: int) -> tuple[int, int]:
    """Return the number of the object that begins at a place, and where its value may begin. Raises UnfitError."""
    match = _HEADER.match(data, place)
    if match is None:
        raise UnfitError("its structure is damaged: an object is not where the table says")
    return int(match[1]), skip_blank(data, match.end())


def read_number(found: Dictionary, name: bytes, otherwise: int | None = None) -> int:
    """Return the number that a dictionary has for a name. Raises UnfitError."""
    value = found.get(name, b"")
    if value.isdigit() and len(value) <= 19:  # noqa: PLR2004 -- as many digits as 64 bits have
        return int(value)
    if value or otherwise is None:
        raise UnfitError(f"its structure is damaged: {name.decode('ascii', 'replace')} is no number")
    return otherwise


def write_text(text: bytes) -> bytes:
    """Return a string as it is written in a PDF."""
    return b"(%b)" % re.sub(rb"[\\()]", rb"\\\g<0>", text)


def read_text(value: bytes) -> bytes | None:
    """Return the string that `write_text` wrote, whoever wrote it again since; None for another value."""
    if _HEXADECIMAL.fullmatch(value):
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", value)
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    if not value.startswith(b"("):
        return None
    return re.sub(rb"\\([\\()])", rb"\1", re.sub(rb"\\\r?\n", b"", value[1:-1]))


def _skip_text(data: bytes, place: int) -> int:
    depth = 0
    for match in _IN_TEXT.finditer(data, place):
        if match[0] == b"(":
            depth += 1
        elif match[0] == b")":
            depth -= 1
            if not depth:
                return match.end()
    raise UnfitError("its structure is damaged: a string has no end")
