"""EPS: the stamp is a few comments behind the first line, each short enough for the DSC (255 characters)."""

from __future__ import annotations

import re

from rtrace.figures.stamp import UnfitError

SIGNATURE = b"%!PS-Adobe"
_HEAD = b"%rtrace-stamp: "
_ROOM = 200
_LINE = re.compile(rb"[^\r\n]*(\r\n|\r|\n)")


def split(data: bytes) -> tuple[bytes, bytes | None]:
    """Return an EPS without its stamp, and the stamp. Raises UnfitError."""
    place, newline = _end_of_first_line(data)
    parts = []
    end = place
    while data.startswith(_HEAD, end) and (line := _LINE.match(data, end)) is not None:
        parts.append(line[0][len(_HEAD) : -len(newline)])
        end = line.end()
    return data[:place] + data[end:], b"".join(parts) if parts else None


def join(plain: bytes, payload: bytes) -> bytes:
    """Return an EPS with a stamp. Raises UnfitError."""
    place, newline = _end_of_first_line(plain)
    lines = [_HEAD + payload[at : at + _ROOM] + newline for at in range(0, len(payload), _ROOM)]
    return b"".join([plain[:place], *lines, plain[place:]])


def _end_of_first_line(data: bytes) -> tuple[int, bytes]:
    line = _LINE.match(data)
    if line is None:
        raise UnfitError("it is cut off: its first line has no end")
    return line.end(), line[1]
