"""PNG: the stamp is an iTXt chunk before the last one, see the PNG specification, 11.3.3.4."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from rtrace.figures.stamp import UnfitError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The keyword, no compression (a flag and a method), and neither a language nor a keyword in it.
_HEAD = b"rtrace\0\0\0\0\0"
_TYPE, _END = b"iTXt", b"IEND"
_FRAME = 12  # bytes of a chunk besides its data: length, type, CRC


def split(data: bytes) -> tuple[bytes, bytes | None]:
    """Return a PNG without its stamp, and the stamp. Raises UnfitError."""
    plain, last, payload = [], 0, None
    for start, kind, end in _list_chunks(data):
        if kind == _TYPE and data.startswith(_HEAD, start + 8):
            plain.append(data[last:start])
            last = end
            payload = data[start + 8 + len(_HEAD) : end - 4]
    return b"".join([*plain, data[last:]]), payload


def join(plain: bytes, payload: bytes) -> bytes:
    """Return a PNG with a stamp. Raises UnfitError."""
    place = next((start for start, kind, _end in _list_chunks(plain) if kind == _END), None)
    if place is None:
        raise UnfitError("it is cut off: a PNG ends with an IEND chunk")
    body = _TYPE + _HEAD + payload
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return plain[:place] + chunk + plain[place:]


def _list_chunks(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield where each chunk starts, its type, and where it ends; nothing of what follows the last one."""
    place = len(SIGNATURE)
    while place < len(data):
        kind = data[place + 4 : place + 8]
        end = place + _FRAME + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            raise UnfitError("it is cut off in the middle of a chunk")
        yield place, kind, end
        if kind == _END:
            return
        place = end
