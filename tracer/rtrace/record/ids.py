"""Identifiers of records: UUIDs of version 7, which sort by the time at which they were made. See RFC 9562."""

from __future__ import annotations

import os
import time

_LENGTHS = [8, 4, 4, 4, 12]
_DIGITS = "0123456789abcdef"
_TIME_BITS, _RANDOM_BYTES = 48, 10
_VERSION, _VARIANT = 7, 0b10


def new_id() -> str:
    """Return a new identifier."""
    return make_id(time.time_ns() // 1_000_000, os.urandom(_RANDOM_BYTES))


def make_id(milliseconds: int, seed: bytes) -> str:
    """Return the identifier of a time since 1970 and of at least ten bytes, the same for the same two.

    An importer that takes a digest of its source for ``seed`` makes one record of it, however often it is imported.
    """
    number = (milliseconds & ((1 << _TIME_BITS) - 1)) << 80 | int.from_bytes(seed[:_RANDOM_BYTES], "big")
    number = number & ~(0xF << 76) | _VERSION << 76
    number = number & ~(0b11 << 62) | _VARIANT << 62
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def is_id(text: str) -> bool:
    """Whether a text has the shape of an identifier; it is safe as a file's name then."""
    groups = text.split("-")
    return list(map(len, groups)) == _LENGTHS and not "".join(groups).strip(_DIGITS)
