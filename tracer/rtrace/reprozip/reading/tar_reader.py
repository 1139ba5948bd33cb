"""A tar read member by member, from front to back, with no more memory than one name takes.

Python's own module trusts the sizes of extended headers: a few megabytes of gzip can make it take all memory. This one
knows the three dialects in which ReproZip and its friends write (ustar, GNU, pax), and refuses what they never write.
The layouts are in tar(5) of libarchive; `rtrace.bundle.tar` draws that of GNU.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.bundle import tar
from rtrace.errors import BundleError, HostileBundleError
from rtrace.printable import shorten_path
from rtrace.reprozip.reading.byte_sources import expect_end, take
from rtrace.reprozip.reading.limits import HEADERS_PER_ITEM, check_content_size, most_items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.reprozip.reading.byte_sources import Source

CHARACTER_DEVICE = b"3"
BLOCK_DEVICE = b"4"
_CONTIGUOUS = b"7"
_PAX = b"x"
_PAX_GLOBAL = b"g"
_KNOWN = frozenset({tar.REGULAR, tar.HARD_LINK, tar.SYMLINK, tar.DIRECTORY, tar.FIFO, CHARACTER_DEVICE, BLOCK_DEVICE})
_NAME_LIMIT = 64 << 10
_PAX_LIMIT = 64 << 10
_RECORDS_LIMIT = 100
_HEADERS_LIMIT = 8
"""Headers that may announce one member: two long names, one of pax, and some room."""
_ZEROS = bytes(tar.BLOCK)
_SECOND = 1_000_000_000
_DECIMAL = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?\Z")


@dataclass(frozen=True, slots=True)
class TarMember:
    """One member, its name and link as they stand there; ``offset`` is where its content begins in the tar.

    ``hole`` is the size of a sparse file that is nothing but a hole, which is the only kind that is let in.
    """

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int
    link: bytes
    offset: int
    hole: int = 0


class TarReader:
    """The members of a tar in their order; each one's content can be read until the next one is asked for."""

    def __init__(self, source: Source, bundle_size: int) -> None:
        self._source = source
        self._bundle_size = bundle_size
        self._headers_left = HEADERS_PER_ITEM * most_items(bundle_size)
        self._position = 0
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[TarMember]:
        """Yield the members. Raises BundleError for what is no tar, or ends too early."""
        while (member := self._next()) is not None:
            check_content_size(self._position + member.size, self._bundle_size, shorten_path(member.name))
            self._left = member.size
            self._padding = len(tar.padding(member.size))
            yield member
            self._skip_rest()
        expect_end(self._source)

    def read(self, size: int) -> bytes:
        """Return what comes next of the member's content."""
        part = self._source.read(min(size, self._left)) if self._left else b""
        self._left -= len(part)
        self._position += len(part)
        if not part and self._left:
            raise BundleError("it is cut off")
        return part

    def skip(self, size: int) -> None:
        """Leave out so much of the member's content."""
        if size > self._left:
            raise BundleError("it is cut off")
        self._source.skip(size)
        self._left -= size
        self._position += size

    def _skip_rest(self) -> None:
        rest = self._left + self._padding
        self._source.skip(rest)
        self._position += rest
        self._left = self._padding = 0

    def _take(self, size: int) -> bytes:
        content = take(self._source, size)
        self._position += size
        return content

    def _next(self) -> TarMember | None:
        name = link = None
        records: dict[bytes, bytes] = {}
        for _ in range(_HEADERS_LIMIT):
            header = self._take(tar.BLOCK)
            self._headers_left -= 1
            if self._headers_left < 0:
                raise HostileBundleError("the bundle holds more tar headers than any that rtrace reads")
            if header == _ZEROS:
                if name is not None or link is not None or records:
                    raise BundleError("a tar header that announces a member is the last one")
                return None
            _check_sum(header)
            kind = header[156:157]
            size = _number(header[124:136])
            if kind in {tar.LONG_NAME, tar.LONG_LINK}:
                text = self._extra(size, _NAME_LIMIT).split(b"\0", 1)[0]
                name, link = (text, link) if kind == tar.LONG_NAME else (name, text)
            elif kind in {_PAX, _PAX_GLOBAL}:
                content = self._extra(size, _PAX_LIMIT)
                if kind == _PAX:
                    records = _pax_records(content)
            else:
                return _member(header, name, link, records, self._position)
        raise HostileBundleError("the bundle holds tar headers that announce each other, and no member")

    def _extra(self, size: int, limit: int) -> bytes:
        if size > limit:
            raise HostileBundleError(f"the bundle holds a tar header of {size} bytes")
        return self._take(size + len(tar.padding(size)))[:size]


def _member(
    header: bytes, name: bytes | None, link: bytes | None, records: dict[bytes, bytes], offset: int
) -> TarMember:
    if name is None:
        name = header[:100].split(b"\0", 1)[0]
        if header[257:263] == b"ustar\0" and (prefix := header[345:500].split(b"\0", 1)[0]):
            name = prefix + b"/" + name
    link = header[157:257].split(b"\0", 1)[0] if link is None else link
    name, link = records.get(b"path", name), records.get(b"linkpath", link)
    kind = header[156:157]
    if kind in {b"\0", _CONTIGUOUS}:
        kind = tar.DIRECTORY if kind == b"\0" and name.endswith(b"/") else tar.REGULAR
    hole = _hole(header) if kind == tar.SPARSE else 0
    if (kind not in _KNOWN and not hole) or any(key.startswith(b"GNU.sparse.") for key in records):
        raise HostileBundleError(
            f"the bundle holds {shorten_path(name)} in a form that ReproZip never writes ({kind!r})"
        )
    size = _decimal(records[b"size"]) // _SECOND if b"size" in records else _number(header[124:136])
    if size < 0:
        raise BundleError(f"{shorten_path(name)} has a size below zero")
    return TarMember(
        name=name,
        kind=kind,
        mode=_number(header[100:108]) & 0o7777,
        uid=_decimal(records[b"uid"]) // _SECOND if b"uid" in records else _number(header[108:116]),
        gid=_decimal(records[b"gid"]) // _SECOND if b"gid" in records else _number(header[116:124]),
        mtime_ns=_decimal(records[b"mtime"]) if b"mtime" in records else _number(header[136:148]) * _SECOND,
        size=size if kind == tar.REGULAR else 0,
        link=link,
        offset=offset,
        hole=hole,
    )


def _hole(header: bytes) -> int:
    """Return the size of a sparse file of GNU that is one hole, as rtrace writes files without content; else 0."""
    size = _number(header[483:495])
    first = tar.number(size, 12) + tar.number(0, 12)
    is_hole = (
        size > 0 and header[386:482] == first.ljust(96, b"\0") and not header[482] and not _number(header[124:136])
    )
    return size if is_hole else 0


def _number(field: bytes) -> int:
    """Read a number in octal digits, or in base 256 as two's complement."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=True)
        return value + (1 << (8 * len(field) - 1)) if field[0] & 0x40 == 0 else value
    digits = field.strip(b" \0").split(b"\0", 1)[0]
    if digits.strip(b"01234567"):
        raise BundleError("a tar header has something else where a number should be")
    return int(digits, 8) if digits else 0


def _decimal(text: bytes) -> int:
    """Read a decimal number as billionths."""
    match = _DECIMAL.match(text)
    if match is None:
        raise BundleError("a tar header has something else where a number should be")
    value = int(match[2]) * _SECOND + int((match[3] or b"").ljust(9, b"0")[:9])
    return -value if match[1] else value


def _pax_records(content: bytes) -> dict[bytes, bytes]:
    """Read the records of a pax header, each of them a length, a space, KEY=VALUE and a newline."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(content):
        digits = content[position : position + 8].split(b" ", 1)[0]
        length = int(digits) if digits.isdigit() else 0
        record = content[position : position + length]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if len(record) != length or not equals or not value.endswith(b"\n"):
            raise BundleError("a pax header in it is damaged")
        if len(records) >= _RECORDS_LIMIT:
            raise HostileBundleError(f"the bundle holds a pax header of more than {_RECORDS_LIMIT} records")
        records[key] = value[:-1]
        position += length
    return records


def _check_sum(header: bytes) -> None:
    """Compare a header's checksum: the sum of its bytes, with the checksum itself as spaces."""
    if _number(header[148:156]) != tar.add_up(header) - sum(header[148:156]) + 8 * 32:
        raise BundleError("a tar header in it is damaged")
