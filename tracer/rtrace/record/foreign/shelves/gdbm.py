"""A shelf of `dbm.gnu`: a file of gdbm with 64-bit offsets, read straight from its directory of buckets.

header: magic, block size, place of the directory (8 bytes), its size, its bits, bucket size, items in a bucket
bucket: 104 bytes of free places, bits, count, then items of 24 bytes:
hash (-1: empty), first four bytes of the key, place (8 bytes), size of the key, size of the value
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from rtrace.record.foreign.source.problem import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGICS = (0x13579ACF, 0x13579AD1)
_HEADER = "IiQiiii"
_ITEMS_AT = 112
_ITEM = "i4sQii"


def is_gdbm(head: bytes) -> bool:
    """Whether a file begins as one of gdbm with 64-bit offsets, in either order of bytes."""
    return _find_order(head) is not None


def read_gdbm(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a file of gdbm."""
    order = _find_order(data)
    if order is None:
        raise Unreadable("it is not a file of gdbm")
    try:
        _, _, place, size, _, bucket_size, bucket_items = struct.unpack_from(order + _HEADER, data)
        if size <= 0 or place + size > len(data) or not 0 < bucket_size <= len(data):
            raise Unreadable("its directory is beyond its end")
        buckets = set(struct.unpack_from(f"{order}{size // 8}Q", data, place))
        if not 0 < bucket_items <= (bucket_size - _ITEMS_AT) // struct.calcsize(order + _ITEM):
            raise Unreadable("its buckets have no room for what they hold")
        yield from _read_buckets(data, order, sorted(buckets), bucket_items)
    except (struct.error, OverflowError):  # the second for a place beyond all memory
        raise Unreadable("it ends too early") from None


def _read_buckets(data: bytes, order: str, buckets: list[int], count: int) -> Iterator[tuple[bytes, bytes]]:
    left = len(data)
    for bucket in buckets:
        for number in range(count):
            at = bucket + _ITEMS_AT + number * struct.calcsize(order + _ITEM)
            hash_value, _, place, key_size, value_size = struct.unpack_from(order + _ITEM, data, at)
            if hash_value == -1:
                continue
            end = place + key_size + value_size
            left -= key_size + value_size
            if key_size < 0 or value_size < 0 or end > len(data) or left < 0:
                raise Unreadable("it names a value beyond its end")
            yield data[place : place + key_size], data[place + key_size : end]


def _find_order(head: bytes) -> str | None:
    """Return how numbers are written in the file, for `struct`, with the sizes of the formats above."""
    for order in ("<", ">"):
        if len(head) >= 4 and struct.unpack_from(order + "I", head)[0] in MAGICS:  # noqa: PLR2004
            return order
    return None
