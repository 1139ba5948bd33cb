"""Headers of a GNU tar, made and read as bytes.

Only what a bundle needs, so that the same file always has the same header, and so that a hundred thousand of them cost
little: the module tarfile is ten times slower. The layout is in tar(5) of libarchive ("GNU tar archives"):

    name 100 | mode 8 | uid 8 | gid 8 | size 12 | mtime 12 | checksum 8 | type 1 | link name 100 | "ustar  " NUL |
    user 32 | group 32 | major 8 | minor 8 | atime 12 | ctime 12 | offset 12 | long names 4 | unused 1 |
    sparse map 4 x 24 | extended 1 | real size 12 | padding 17

A sparse map of more items goes on, "extended" being 1, in blocks of 21 x 24 | extended 1 | padding 7.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BLOCK = 512
END = bytes(2 * BLOCK)
"""The two blocks of zeros that end an archive."""

REGULAR = b"0"
HARD_LINK = b"1"
SYMLINK = b"2"
DIRECTORY = b"5"
FIFO = b"6"
SPARSE = b"S"
LONG_NAME = b"L"
LONG_LINK = b"K"

_NAME_LENGTH = 100
_FIRST_ITEMS, _MORE_ITEMS = 4, 21
_MAGIC = b"ustar  \0"
_SMALL_ID = 0o7777777
_SMALL_NUMBER = 0o77777777777
_REGULAR_END = (REGULAR + bytes(_NAME_LENGTH) + _MAGIC).ljust(BLOCK - 156, b"\0")
_REGULAR_SUM = sum(_REGULAR_END) + 8 * 32 - 1
"""What a regular file's header without a link has behind its checksum, and what is to be added to the Adler-32 of what
it has before that: the sum of that and of eight spaces."""
_PADDINGS = tuple(bytes(-length % BLOCK) for length in range(BLOCK))


def padding(length: int) -> bytes:
    """Return the zeros that fill up the last block of a member of ``length`` bytes."""
    return _PADDINGS[length % BLOCK]


def number(value: int, width: int) -> bytes:
    """Write a number as octal digits and a NUL, or, when that is too narrow or it is negative, in base 256."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    encoded = value.to_bytes(width, "big", signed=True)
    return bytes([encoded[0] | 0x80]) + encoded[1:]


def regular_header(name: bytes, size: int, mode: int, uid: int, gid: int, mtime: int) -> bytes:
    """Make the header of a regular file, as ``header`` does; nearly all headers are such ones."""
    if len(name) <= _NAME_LENGTH and 0 <= mtime <= _SMALL_NUMBER >= size and 0 <= uid <= _SMALL_ID >= gid >= 0:
        start = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (name.ljust(_NAME_LENGTH, b"\0"), mode, uid, gid, size, mtime)
        return b"%b%06o\0 %b" % (
            start,
            (zlib.adler32(start) & 0xFFFF) + _REGULAR_SUM,
            _REGULAR_END,
        )  # one sum, not three
    return header(name, REGULAR, size, mode, (uid, gid), mtime)


def header(  # noqa: PLR0913, PLR0917 -- a header has that many fields
    name: bytes,
    kind: bytes,
    size: int = 0,
    mode: int = 0o644,
    owner: tuple[int, int] = (0, 0),
    mtime: int = 0,
    link: bytes = b"",
    segments: Sequence[tuple[int, int]] = (),
) -> bytes:
    """Make the header of one member, preceded by extra members for a name or link longer than 100 bytes.

    ``size`` is that of the data that follows; for SPARSE it is the size of the file; only its ``segments``
    (offset and length) follow, and all else is holes. ``mtime`` is in seconds.
    """
    longer = more = b""
    if len(link) > _NAME_LENGTH:
        longer = _long(LONG_LINK, link)
        link = link[:_NAME_LENGTH]
    if len(name) > _NAME_LENGTH:
        longer += _long(LONG_NAME, name)
        name = name[:_NAME_LENGTH]
    uid, gid = owner
    stored = sum(length for _, length in segments) if kind == SPARSE else size
    if 0 <= uid <= _SMALL_ID and 0 <= gid <= _SMALL_ID and 0 <= mtime <= _SMALL_NUMBER and size <= _SMALL_NUMBER:
        numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, stored, mtime)
    else:
        numbers = number(mode, 8) + number(uid, 8) + number(gid, 8) + number(stored, 12) + number(mtime, 12)
    start = name.ljust(_NAME_LENGTH, b"\0") + numbers
    end = kind + link.ljust(_NAME_LENGTH, b"\0") + _MAGIC
    if kind == SPARSE:
        items, more = _map(segments, size)
        end = (end.ljust(386 - 156, b"\0") + items).ljust(482 - 156, b"\0") + bytes([bool(more)]) + number(size, 12)
    end = end.ljust(BLOCK - 156, b"\0")
    return b"%b%b%06o\0 %b%b" % (longer, start, _sum(start) + add_up(end) + 8 * 32, end, more)


def header_size(names: Iterable[int], items: int) -> int:
    """Return how long a header is with names (and a link) so long, and with so many items in its sparse map."""
    size = BLOCK * (1 + -(-max(0, items - _FIRST_ITEMS) // _MORE_ITEMS))
    return size + sum(BLOCK + -(-(length + 1) // BLOCK) * BLOCK for length in names if length > _NAME_LENGTH)


def _map(segments: Sequence[tuple[int, int]], size: int) -> tuple[bytes, bytes]:
    """Return the map of a sparse file: the part in its header, and the blocks after that.

    A last item of "0 bytes at the end" says that all before it is a hole.
    """
    ends_in_hole = not segments or sum(segments[-1]) < size
    items = [number(start, 12) + number(length, 12) for start, length in (*segments, *([(size, 0)] * ends_in_hole))]
    blocks = [
        b"".join(items[at : at + _MORE_ITEMS]).ljust(504, b"\0") for at in range(_FIRST_ITEMS, len(items), _MORE_ITEMS)
    ]
    last = len(blocks) - 1
    more = b"".join((block + bytes([at < last])).ljust(BLOCK, b"\0") for at, block in enumerate(blocks))
    return b"".join(items[:_FIRST_ITEMS]), more


def add_up(header: bytes) -> int:
    """Add up the bytes of one block."""
    return _sum(header[:256]) + _sum(header[256:])


def _sum(part: bytes) -> int:
    """Add up at most 256 bytes: the low half of Adler-32 is 1 plus their sum, which fits into it."""
    return (zlib.adler32(part) & 0xFFFF) - 1


def _long(kind: bytes, name: bytes) -> bytes:
    content = name + b"\0"
    return header(b"././@LongLink", kind, len(content)) + content + padding(len(content))
