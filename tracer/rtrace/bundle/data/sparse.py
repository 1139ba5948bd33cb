"""Contents with holes: the parts that hold data, and zeros between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.files.holes import Segments

HOLES_LIMIT = 1 << 40
"""Bytes of all holes of a bundle together: they take no room, but time, as their zeros are in the digests."""
HASHED_HOLES = 16 << 30
"""Bytes of holes that are hashed: the zeros of more take minutes."""
ZEROS = bytes(1 << 20)
"""A part of a hole."""


def fill_holes(segments: Segments, size: int, data: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a content of ``size`` bytes from the data of its segments. No part mixes data and holes."""
    position = 0
    rest = b""
    for offset, length in segments:
        yield from zeros(offset - position)
        left = length
        while left:
            rest = rest or next(data)
            part, rest = rest[:left], rest[left:]
            left -= len(part)
            yield part
        position = offset + length
    yield from zeros(size - position)


def zeros(length: int) -> Iterator[bytes]:
    """Yield so many zeros, in parts."""
    while length > len(ZEROS):
        length -= len(ZEROS)
        yield ZEROS
    if length:
        yield ZEROS[:length]


def segments_problem(segments: Segments, size: int) -> str | None:
    """Return what is wrong with the segments of a file of that size; None when nothing is."""
    end = -1
    for offset, length in segments:
        if offset <= end or length <= 0:
            return "parts that overlap, touch or are empty"
        end = offset + length
    if end > size:
        return "parts beyond its end"
    if sum(length for _, length in segments) == size:
        return "parts, but no holes between them"
    return None
