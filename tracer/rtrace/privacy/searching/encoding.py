"""What kind of text a file holds: bytes, wide characters (UTF-16, UTF-32), or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

HEAD = 8192
"""How much of a file tells of what kind it is, in bytes."""
_MARKS = ((b"\xff\xfe\0\0", 4, 0), (b"\0\0\xfe\xff", 4, 3), (b"\xff\xfe", 2, 0), (b"\xfe\xff", 2, 1))
_BEGINNINGS = (b"\xff", b"\xfe", b"\0")
_WIDTHS = ((2, 0), (2, 1), (4, 0), (4, 3))
_MOST_TEXT = 0.7  # of wide characters are those of ASCII in settings, programs and notes
_LEAST = 16
_NO_TEXT = bytes((*range(9), *range(14, 32), *range(127, 256)))
_FOREIGN = 0x1A
"""What stands for a character that is not of ASCII."""


class Encoding(NamedTuple):
    """How many bytes a character takes, and which of them is the one of ASCII; ``binary``: no text."""

    width: int = 1
    place: int = 0
    binary: bool = False

    def narrow(self, content: bytes) -> bytes:
        """Return a byte for each character."""
        if self.width == 1:
            return content
        size = len(content) - len(content) % self.width
        text = bytearray(content[self.place : size : self.width])
        for other in range(self.width):
            if other != self.place:
                for at, byte in enumerate(content[other : size : self.width]):
                    if byte:
                        text[at] = _FOREIGN
        return bytes(text)

    def widen(self, text: bytes) -> bytes:
        """Return characters of ASCII as they are written."""
        if self.width == 1:
            return text
        content = bytearray(len(text) * self.width)
        content[self.place :: self.width] = text
        return bytes(content)


PLAIN = Encoding()
BINARY = Encoding(binary=True)


def find_encoding(head: bytes) -> Encoding:
    """Return how a file is encoded, from its beginning: one with a NUL is binary, as for grep(1) and git(1)."""
    for mark, width, place in _MARKS if head[:1] in _BEGINNINGS else ():
        if head.startswith(mark):
            return Encoding(width, place)
    head = head[:HEAD]
    if b"\0" not in head:
        return PLAIN
    for width, place in _WIDTHS:
        if len(head) >= _LEAST and _fits(head, width, place):
            return Encoding(width, place)
    return BINARY


def narrow_parts(encoding: Encoding, parts: Iterable[bytes]) -> Iterator[bytes]:
    """Return a content that comes in parts with a byte for each character."""
    if encoding.width == 1:
        yield from parts
        return
    rest = b""
    for part in parts:
        content = rest + part
        size = len(content) - len(content) % encoding.width
        rest = content[size:]
        yield encoding.narrow(content[:size])


def _fits(head: bytes, width: int, place: int) -> bool:
    """Whether most characters of this width are of ASCII."""
    head = head[: HEAD - HEAD % width]
    size = len(head) // width
    zeros = sum(head[other : size * width : width].count(0) for other in range(width) if other != place)
    text = head[place : size * width : width]
    letters = len(text.translate(None, _NO_TEXT))
    return zeros >= _MOST_TEXT * size * (width - 1) and letters >= _MOST_TEXT * size
