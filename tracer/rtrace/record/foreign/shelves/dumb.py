"""A shelf of `dbm.dumb`: texts `NAME.dir`, one line a key with place and length, and the values in `NAME.dat`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.record.foreign.source.literals import read_literal
from rtrace.record.foreign.source.problem import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(r"""(?P<key>'.*'|".*"), \((?P<place>\d{1,18}), (?P<size>\d{1,18})\)""")


def read_dumb(directory: bytes, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a shelf."""
    for line in directory.decode("latin-1").splitlines():
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise Unreadable("its directory has a line that names no value")
        key = read_literal(match["key"])
        place, size = int(match["place"]), int(match["size"])
        if not isinstance(key, str) or place + size > len(data):
            raise Unreadable("its directory names a value beyond its end")
        yield key.encode("latin-1", "replace"), data[place : place + size]
