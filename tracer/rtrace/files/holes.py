"""Which parts of a sparse file hold data. See lseek(2), SEEK_DATA."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Segments = tuple[tuple[int, int], ...]
    """Offset and length of every part that holds data, in their order, with holes between them."""

LEAST_HOLE = 64 << 10
"""Bytes; smaller holes are data of zeros. So it makes no difference which block size a file system has."""
MOST_SEGMENTS = 1 << 14
_BLOCK = 512


def find_segments(descriptor: int, state: os.stat_result) -> Segments | None:
    """Find the parts of an open file that hold data; None for a file without holes, which costs no call.

    Its offset is at the beginning afterwards.
    A file in more than MOST_SEGMENTS pieces is told of with its larger holes only.
    """
    size = state.st_size
    if state.st_blocks * _BLOCK >= size or not hasattr(os, "SEEK_DATA"):
        return None
    try:
        segments = tuple(_merge(_seek(descriptor, size), size, LEAST_HOLE))
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        return None
    least = LEAST_HOLE
    while len(segments) > MOST_SEGMENTS:
        least *= 2
        segments = tuple(_merge(segments, size, least))
    return None if segments == ((0, size),) else segments


def _seek(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            import errno

            if error.errno == errno.ENXIO:
                return  # the rest is a hole
            raise
        end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        if start < end:
            yield start, end - start


def _merge(segments: Iterable[tuple[int, int]], size: int, least: int) -> Iterator[tuple[int, int]]:
    """Yield segments without the holes between, before and after them that are smaller than ``least``."""
    first = end = 0
    for start, length in segments:
        if start - end >= least:
            if end:
                yield first, end - first
            first = start
        end = start + length
    if size - end < least:
        end = size
    if end:
        yield first, end - first
