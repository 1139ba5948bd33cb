"""One header of rpm: what is known of an installed package.

The format is rpm's "Package format", section "Header format": two big-endian counts (index entries, bytes of data), the
entries (tag, type, offset, count; 32 bits each), the data. In a database it comes without the magic in front.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_COUNTS = struct.Struct(">II")
_ENTRY = struct.Struct(">IIII")
_INT32 = 4
_STRINGS = frozenset({6, 8, 9})
"""STRING, STRING_ARRAY, I18NSTRING."""
_NAME, _VERSION, _RELEASE, _EPOCH, _VENDOR, _ARCH, _SOURCE = 1000, 1001, 1002, 1003, 1011, 1022, 1044
_OLD_NAMES, _INDEXES, _BASES, _FOLDERS = 1027, 1116, 1117, 1118
_WANTED = frozenset(
    {_NAME, _VERSION, _RELEASE, _EPOCH, _VENDOR, _ARCH, _SOURCE, _OLD_NAMES, _INDEXES, _BASES, _FOLDERS}
)


class NotAHeaderError(Exception):
    """These bytes are not a header."""


@dataclass(frozen=True, slots=True)
class Header:
    """A package and its files: the folder of each base name by its index. Folders end in a slash."""

    name: str
    epoch: int
    version: str
    release: str
    architecture: str
    vendor: str
    source: str
    folders: Sequence[bytes]
    indexes: Sequence[int]
    bases: Sequence[bytes]

    def find_files(self, wanted: Mapping[bytes, Mapping[bytes, list[bytes]]]) -> Iterator[list[bytes]]:
        """Yield what is kept under the names of its files in ``wanted``: folder, then base name."""
        mine = {number: wanted[folder] for number, folder in enumerate(self.folders) if folder in wanted}
        if mine:
            for number, base in zip(self.indexes, self.bases, strict=False):
                if number in mine and base in mine[number]:
                    yield mine[number][base]


def make_header(facts: Sequence[bytes], files: Sequence[bytes]) -> Header:
    """Return a header of what rpm says: name, epoch, version, release, architecture, vendor, source, and the files."""
    name, epoch, version, release, architecture, vendor, source = (
        "" if fact == b"(none)" else _text(fact) for fact in facts
    )
    number = int(epoch) if epoch.isdigit() else 0
    return Header(name, number, version, release, architecture or "any", vendor, source, *_split(files))


def parse_header(blob: bytes) -> Header:
    """Read a header. Raises NotAHeaderError."""
    try:
        found = _read_tags(blob)
    except (struct.error, ValueError, IndexError):
        raise NotAHeaderError from None

    def text(tag: int) -> str:
        values = found.get(tag)
        return _text(values[0]) if values and isinstance(values[0], bytes) else ""

    def strings(tag: int) -> list[bytes]:
        return [value for value in found.get(tag, ()) if isinstance(value, bytes)]

    def numbers(tag: int) -> list[int]:
        return [value for value in found.get(tag, ()) if isinstance(value, int)]

    if not text(_NAME):
        raise NotAHeaderError
    files = (strings(_FOLDERS), numbers(_INDEXES), strings(_BASES)) if _BASES in found else _split(strings(_OLD_NAMES))
    return Header(
        text(_NAME), sum(numbers(_EPOCH)[:1]), text(_VERSION), text(_RELEASE), text(_ARCH) or "any", text(_VENDOR),
        text(_SOURCE), *files,
    )  # fmt: skip


def _read_tags(blob: bytes) -> dict[int, Sequence[bytes | int]]:
    """Read the values of the tags that we want."""
    entries, size = _COUNTS.unpack_from(blob)
    start = _COUNTS.size + entries * _ENTRY.size
    if start + size > len(blob):
        raise ValueError("cut short")
    found: dict[int, Sequence[bytes | int]] = {}
    for number in range(entries):
        tag, kind, offset, count = _ENTRY.unpack_from(blob, _COUNTS.size + number * _ENTRY.size)
        if tag not in _WANTED or tag in found:
            continue
        if kind in _STRINGS:
            if count > size:
                raise ValueError("too many strings")
            found[tag] = blob[start + offset : start + size].split(b"\0", count)[:count]
        elif kind == _INT32:
            found[tag] = struct.unpack_from(f">{min(count, size)}I", blob, start + offset)
    return found


def _split(files: Sequence[bytes]) -> tuple[list[bytes], list[int], list[bytes]]:
    """Split paths as rpm does."""
    known: dict[bytes, int] = {}
    indexes, bases = [], []
    for path in files:
        folder, _, base = path.rpartition(b"/")
        indexes.append(known.setdefault(folder + b"/", len(known)))
        bases.append(base)
    return list(known), indexes, bases


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
