"""The file in which X11 programs find the cookie that a display asks for; see Xsecurity(7) and Xau(3).

An entry is a family (two bytes) and four strings, each with its length in two bytes before it: the address, the number
of the display, the name of the protocol, and its data. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

FAMILY_LOCAL, FAMILY_WILD = 256, 65535
COOKIE = b"MIT-MAGIC-COOKIE-1"
LARGEST_FILE = 1 << 20
_NUMBER = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be shown to one display."""

    family: int
    address: bytes
    number: bytes
    name: bytes
    data: bytes


def read_entries(content: bytes) -> Iterator[Entry]:
    """Yield the entries of such a file; one that is cut off ends them."""
    at = 0
    while at + _NUMBER.size <= len(content):
        (family,) = _NUMBER.unpack_from(content, at)
        at += _NUMBER.size
        strings: list[bytes] = []
        while len(strings) < 4 and at + _NUMBER.size <= len(content):  # noqa: PLR2004 -- address, number, name, data
            (length,) = _NUMBER.unpack_from(content, at)
            at += _NUMBER.size
            if at + length > len(content):
                return
            strings.append(content[at : at + length])
            at += length
        if len(strings) == 4:  # noqa: PLR2004
            yield Entry(family, *strings)


def choose_entry(content: bytes, number: int, hostname: bytes) -> Entry | None:
    """Return the entry with the cookie of a display of this machine, None where there is none.

    An entry without a number is for all displays, and FamilyWild for all machines.
    """
    for entry in read_entries(content):
        is_here = entry.family == FAMILY_WILD or (entry.family == FAMILY_LOCAL and entry.address == hostname)
        if is_here and entry.number in {b"", b"%d" % number} and entry.name == COOKIE:
            return entry
    return None


def write_entry(entry: Entry, number: int) -> bytes:
    """Return a file with one entry, for a display by its number on whatever machine: a replay has another hostname."""
    strings = (b"", b"%d" % number, entry.name, entry.data)
    return _NUMBER.pack(FAMILY_WILD) + b"".join(_NUMBER.pack(len(string)) + string for string in strings)
