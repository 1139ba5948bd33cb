"""Finding an object of a PDF by its number, through tables and streams of cross-references (ISO 32000-1, 7.5)."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field

from rtrace.figures.pdf_syntax import (
    Dictionary,
    read_dictionary,
    read_header,
    read_number,
    read_reference,
    skip_blank,
    skip_value,
)
from rtrace.figures.stamp import UnfitError

_LARGEST_STREAM = 64 << 20
_MOST_SECTIONS, _MOST_ENTRIES = 1000, 1_000_000
_TOO_MANY = f"it has more than {_MOST_ENTRIES:,} objects"
_SUBSECTION = re.compile(rb"[\0\t\n\f\r ]*(\d{1,10}) +(\d{1,10})[\0\t\n\f\r ]*")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])[ \r\n]{1,2}")
_STREAM = re.compile(rb"stream\r?\n")
_FREE, _PLAIN, _PACKED = 0, 1, 2


@dataclass
class Section:
    """One section: its trailer, whether it is a stream, and per object kind, place (or container) and generation."""

    trailer: Dictionary
    is_stream: bool
    entries: dict[int, tuple[int, int, int]] = field(default_factory=dict)


def find_last_section(data: bytes) -> int:
    """Return where the newest section of cross-references begins. Raises UnfitError."""
    place = data.rfind(b"startxref", max(0, len(data) - 4096))
    match = re.compile(rb"startxref\s+(\d{1,19})\s").match(data, place) if place >= 0 else None
    if match is None or int(match[1]) >= len(data):
        raise UnfitError("it is cut off: a PDF ends with the place of its cross-references")
    return int(match[1])


def read_section(data: bytes, place: int) -> Section:
    """Return the section at a place. Raises UnfitError."""
    start = skip_blank(data, place)
    if not data.startswith(b"xref", start):
        return _read_stream_section(data, start)
    place = start + len(b"xref")
    entries: dict[int, tuple[int, int, int]] = {}
    while (match := _SUBSECTION.match(data, place)) is not None:
        place = match.end()
        if len(entries) + int(match[2]) > _MOST_ENTRIES:
            raise UnfitError(_TOO_MANY)
        for number in range(int(match[1]), int(match[1]) + int(match[2])):
            entry = _ENTRY.match(data, place)
            if entry is None:
                raise UnfitError("its structure is damaged: a table of cross-references is")
            entries[number] = (_PLAIN if entry[3] == b"n" else _FREE, int(entry[1]), int(entry[2]))
            place = entry.end()
    place = skip_blank(data, place)
    if not data.startswith(b"trailer", place):
        raise UnfitError("its structure is damaged: a table of cross-references has no trailer")
    trailer = read_dictionary(data, place + len(b"trailer"))[0]
    return Section(trailer, is_stream=False, entries=entries)


def find_dictionary(data: bytes, number: int) -> Dictionary:
    """Return the dictionary that an object is. Raises UnfitError."""
    kind, where, index = _find_entry(data, number)
    if kind == _PLAIN:
        return read_dictionary(data, _find_value(data, where, number))[0]
    content, first = _read_container(data, where)
    pairs = content[:first].split()
    if not (2 * index + 1 < len(pairs) and pairs[2 * index] == b"%d" % number and pairs[2 * index + 1].isdigit()):
        raise UnfitError("its structure is damaged: a stream of objects is")
    return read_dictionary(content, first + int(pairs[2 * index + 1]))[0]


def _find_entry(data: bytes, number: int) -> tuple[int, int, int]:
    places, seen, entries = [find_last_section(data)], set[int](), 0
    while places and len(seen) < _MOST_SECTIONS:
        place = places.pop(0)
        if place in seen or place >= len(data):
            break
        seen.add(place)
        section = read_section(data, place)
        entries += len(section.entries)
        if entries > _MOST_ENTRIES:
            raise UnfitError(_TOO_MANY)
        entry = section.entries.get(number)
        if entry is not None and entry[0] != _FREE:
            return entry
        places += [read_number(section.trailer, name) for name in (b"/XRefStm", b"/Prev") if name in section.trailer]
    raise UnfitError(f"its structure is damaged: object {number} is missing")


def _find_value(data: bytes, place: int, number: int) -> int:
    found, place = read_header(data, place)
    if found != number:
        raise UnfitError(f"its structure is damaged: object {number} is not where the table says")
    return place


def _read_container(data: bytes, number: int) -> tuple[bytes, int]:
    """Return the content of a stream of objects, and where the first object begins in it."""
    kind, where, _generation = _find_entry(data, number)
    if kind != _PLAIN:
        raise UnfitError("its structure is damaged: a stream of objects is in another one")
    found, end = read_dictionary(data, _find_value(data, where, number))
    reference = read_reference(found.get(b"/Length", b""))
    if reference is not None:
        kind, where, _generation = _find_entry(data, reference[0])
        if kind != _PLAIN:
            raise UnfitError("its structure is damaged: a stream has no length")
        start = _find_value(data, where, reference[0])
        found[b"/Length"] = data[start : skip_value(data, start)]
    return _read_stream(data, found, end), read_number(found, b"/First")


def _read_stream_section(data: bytes, place: int) -> Section:
    _number, place = read_header(data, place)
    trailer, end = read_dictionary(data, place)
    content = _read_stream(data, trailer, end)
    widths = [int(width) for width in re.findall(rb"\d{1,2}", trailer.get(b"/W", b""))]
    if len(widths) != 3 or not sum(widths):  # noqa: PLR2004 -- kind, place, generation
        raise UnfitError("its structure is damaged: a stream of cross-references has no /W")
    size = read_number(trailer, b"/Size")
    index = [int(number) for number in re.findall(rb"\d{1,10}", trailer.get(b"/Index", b"[0 %d]" % size))]
    section = Section(trailer, is_stream=True)
    if len(content) // sum(widths) > _MOST_ENTRIES:
        raise UnfitError(_TOO_MANY)
    at = 0
    for first, many in zip(index[::2], index[1::2], strict=False):
        for number in range(first, first + many):
            if at + sum(widths) > len(content):
                return section
            values = []
            for width in widths:
                values.append(int.from_bytes(content[at : at + width], "big"))
                at += width
            section.entries[number] = (values[0] if widths[0] else _PLAIN, values[1], values[2])
    return section


def _read_stream(data: bytes, found: Dictionary, end: int) -> bytes:
    """Return the content of the stream whose dictionary ends at ``end``."""
    start = _STREAM.match(data, skip_blank(data, end))
    if start is None:
        raise UnfitError("its structure is damaged: a stream is missing")
    raw = data[start.end() : start.end() + read_number(found, b"/Length")]
    names = re.findall(rb"/\w+", found.get(b"/Filter", b""))
    if not names:
        return raw
    if names != [b"/FlateDecode"]:
        raise UnfitError("its structure is packed in a way that only other programs read")
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(raw, _LARGEST_STREAM)
    except zlib.error:
        raise UnfitError("its structure is damaged: a stream cannot be unpacked") from None
    if unpacking.unconsumed_tail:
        raise UnfitError(f"a stream of its structure has more than {_LARGEST_STREAM >> 20} MiB")
    return _undo_prediction(content, found)


def _undo_prediction(content: bytes, found: Dictionary) -> bytes:
    """Undo the filter Up of PNG, by which streams of cross-references are made small (ISO 32000-1, 7.4.4.4)."""
    parameters = read_dictionary(found[b"/DecodeParms"].strip(b"[]\n "), 0)[0] if b"/DecodeParms" in found else {}
    if read_number(parameters, b"/Predictor", 1) == 1:
        return content
    columns = read_number(parameters, b"/Columns", 1)
    above, rows = bytes(columns), []
    for at in range(0, len(content), columns + 1):
        kind, row = content[at], content[at + 1 : at + 1 + columns]
        if kind not in {0, 2}:
            raise UnfitError("its structure is packed in a way that only other programs read")
        above = bytes((one + other) & 0xFF for one, other in zip(row, above, strict=False)) if kind else row
        rows.append(above)
    return b"".join(rows)
