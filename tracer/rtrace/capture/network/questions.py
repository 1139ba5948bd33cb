"""What a program asks a name server: the first question of a message as RFC 1035 lays it out, section 4.1."""

from __future__ import annotations

NAME_SERVER = 53
"""The port of name servers."""
MAX_QUESTION = 512  # bytes of a message over UDP
_HEADER, _LONGEST_LABEL = 12, 63
_ADDRESSES = frozenset({1, 28})  # A, AAAA
_RESPONSE = 0x80


def read_question(message: bytes) -> str | None:
    """Return the name of the host whose address a message asks for; None for any other message."""
    if len(message) < _HEADER or message[2] & _RESPONSE:
        return None
    labels: list[bytes] = []
    position = _HEADER
    while position < len(message):
        length = message[position]
        position += 1
        if not length:
            kind = int.from_bytes(message[position : position + 2], "big")
            name = b".".join(labels).decode("ascii", errors="backslashreplace")
            return name if labels and kind in _ADDRESSES else None
        if length > _LONGEST_LABEL:
            return None
        labels.append(message[position : position + length])
        position += length
    return None
