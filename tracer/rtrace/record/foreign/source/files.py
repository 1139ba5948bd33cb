"""Opening a file that somebody else may have prepared: an ordinary file, itself and no link, up to a size."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from rtrace.files.reading import open_content
from rtrace.printable import format_size
from rtrace.record.foreign.source.plain import Plain
from rtrace.record.foreign.source.problem import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 512 << 20
_MOST_DIGITS = 19


def open_plain(path: str) -> int:
    """Open an ordinary file for reading; return its descriptor. Raises Unreadable."""
    try:
        descriptor = open_content(path)
    except OSError as error:
        reason = "it is a symbolic link" if os.path.islink(path) else error.strerror
        raise Unreadable(f"{reason}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable("it is not an ordinary file")
    return descriptor


def read_plain(path: str, most: int = MOST_BYTES) -> bytes:
    """Return the content of an ordinary file. Raises Unreadable, also when it is larger than ``most``."""
    with open(open_plain(path), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Unreadable(f"it is larger than {format_size(most)}")
    return data


def read_head(path: str, size: int) -> bytes:
    """Return the beginning of an ordinary file; nothing where there is none."""
    try:
        with open(open_plain(path), "rb") as file:
            return file.read(size)
    except (Unreadable, OSError):
        return b""


def read_parts(path: str, most: int) -> Iterator[bytes]:
    """Yield the content of an ordinary file in parts. Raises Unreadable when it is larger than ``most``."""
    with open(open_plain(path), "rb") as file:
        while part := file.read(1 << 20):
            most -= len(part)
            if most < 0:
                raise Unreadable("it is too large")
            yield part


def read_json(path: str) -> object:
    """Return the JSON in a file, bounded and clean. Raises Unreadable."""
    return parse_json(read_plain(path))


def parse_json(data: bytes | str) -> object:
    """Return the JSON in a text, bounded and clean. Raises Unreadable."""
    try:
        return Plain().convert(json.loads(data, parse_int=_read_integer, parse_constant=str))
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except ValueError as error:  # UnicodeDecodeError is one
        raise Unreadable(f"it is not JSON ({str(error)[:80]})") from None


def _read_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits
