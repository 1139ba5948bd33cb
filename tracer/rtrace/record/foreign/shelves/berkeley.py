"""A shelf of `dbm.ndbm` where that is Berkeley DB: a hash database of versions 8 to 10, read page by page.

page: LSN (8 bytes), number, previous, next, count of items, free place or length, level, type, then places of items
item: kind 1: the bytes; kind 3: three bytes, first page of an overflow chain, length of the whole
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from rtrace.record.foreign.source.problem import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC, _MAGIC_AT = 0x00061561, 12
_VERSIONS = range(8, 11)
_PAGE_SIZES = range(512, (64 << 10) + 1)
_HASH_PAGES = {2, 13}
_OVERFLOW_PAGE = 7
_HEADER_SIZE = 26
_IN_PLACE, _ELSEWHERE = 1, 3


def is_berkeley(head: bytes) -> bool:
    """Whether a file begins as a hash database of Berkeley DB."""
    return _find_order(head) is not None


def read_berkeley(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a hash database."""
    order = _find_order(data)
    if order is None:
        raise Unreadable("it is not a hash database of Berkeley DB")
    try:
        version, page_size, encrypted = struct.unpack_from(order + "IIB", data, 16)
        if version not in _VERSIONS or page_size not in _PAGE_SIZES or encrypted:
            raise Unreadable("it is encrypted, or of a version of Berkeley DB that is not known here")
        pages = _Pages(data, order, page_size)
        for number in range(1, len(data) // page_size):
            if pages.kind(number) in _HASH_PAGES:
                items = list(pages.read_items(number))
                yield from zip(items[::2], items[1::2], strict=True)
    except (struct.error, ValueError, IndexError):
        raise Unreadable("its pages are damaged") from None


class _Pages:
    """The pages of a database, and what is left of the bytes that may be read from them."""

    def __init__(self, data: bytes, order: str, size: int) -> None:
        self._data, self._order, self._size = data, order, size
        self._left = 2 * len(data)

    def kind(self, number: int) -> int:
        """Return the type of a page."""
        return self._data[number * self._size + _HEADER_SIZE - 1]

    def read_items(self, number: int) -> Iterator[bytes]:
        """Yield the items of a hash page: a key, its value, a key, its value ..."""
        start = number * self._size
        (count,) = struct.unpack_from(self._order + "H", self._data, start + 20)
        end = self._size
        for place in struct.unpack_from(f"{self._order}{count}H", self._data, start + _HEADER_SIZE):
            if not _HEADER_SIZE < place < end:
                raise Unreadable("its pages name items beyond their end")
            item = self._data[start + place : start + end]
            end = place
            if item[0] == _IN_PLACE:
                yield self._count(item[1:])
            elif item[0] == _ELSEWHERE:
                first, length = struct.unpack_from(self._order + "II", item, 4)
                yield self._read_chain(first, length)
            else:
                raise Unreadable("it holds duplicates, which no shelf has")

    def _read_chain(self, number: int, length: int) -> bytes:
        parts: list[bytes] = []
        seen: set[int] = set()
        while number:
            start = number * self._size
            if number in seen or self.kind(number) != _OVERFLOW_PAGE:
                raise Unreadable("its pages lead in a circle")
            seen.add(number)
            following, _, used = struct.unpack_from(self._order + "IHH", self._data, start + 16)
            if used > self._size - _HEADER_SIZE:
                raise Unreadable("its pages are longer than they are")
            parts.append(self._count(self._data[start + _HEADER_SIZE : start + _HEADER_SIZE + used]))
            number = following
        value = b"".join(parts)
        if len(value) != length:
            raise Unreadable("one of its values is cut off")
        return value

    def _count(self, part: bytes) -> bytes:
        self._left -= len(part)
        if self._left < 0:
            raise Unreadable("its pages are used many times over")
        return part


def _find_order(head: bytes) -> str | None:
    for order in ("<", ">"):
        if len(head) > _MAGIC_AT + 4 and struct.unpack_from(order + "I", head, _MAGIC_AT)[0] == _MAGIC:
            return order
    return None
