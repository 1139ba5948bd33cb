"""JPEG: the stamp is a COM segment behind the application segments that a file begins with, see ITU-T T.81, B.2.4.5."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rtrace.figures.stamp import UnfitError

SIGNATURE = b"\xff\xd8\xff"
_HEAD = b"rtrace\0"
_COM, _SOS = 0xFE, 0xDA
_FIRST_APP, _LAST_APP = 0xE0, 0xEF


def split(data: bytes) -> tuple[bytes, bytes | None]:
    """Return a JPEG without its stamp, and the stamp. Raises UnfitError."""
    plain, last, payload = [], 0, None
    for start, marker, end in _list_segments(data):
        if marker == _COM and data.startswith(_HEAD, start + 4):
            plain.append(data[last:start])
            last = end
            payload = data[start + 4 + len(_HEAD) : end]
    return b"".join([*plain, data[last:]]), payload


def join(plain: bytes, payload: bytes) -> bytes:
    """Return a JPEG with a stamp. Raises UnfitError."""
    place = 2
    for start, marker, end in _list_segments(plain):
        if not (_FIRST_APP <= marker <= _LAST_APP and start == place):
            break
        place = end
    body = _HEAD + payload
    return plain[:place] + struct.pack(">BBH", 0xFF, _COM, len(body) + 2) + body + plain[place:]


def _list_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield where each segment before the picture starts, its marker, and where it ends."""
    place = 2
    while True:
        while data[place : place + 2] == b"\xff\xff":  # bytes that fill up
            place += 1
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + length
        if data[place : place + 1] != b"\xff" or length < 2 or end > len(data):  # noqa: PLR2004 -- its own two bytes
            raise UnfitError("it is cut off, or no JPEG")
        marker = data[place + 1]
        yield place, marker, end
        if marker == _SOS:
            return
        place = end
