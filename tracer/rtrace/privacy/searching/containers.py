"""Files in which others are packed: recognised by how they begin, and searched within a budget."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST = 128 << 20
"""How much of what is packed in a file is looked at, in bytes."""
MOST_MEMBERS = 50_000
_TAR = 257


class UnsearchedError(Exception):
    """Something in a container cannot be looked at; says why."""


@dataclass
class Budget:
    """How much may still be looked at."""

    left: int = MOST
    members: int = MOST_MEMBERS

    @property
    def is_spent(self) -> bool:
        """Whether nothing may be looked at any more."""
        return self.left < 0 or self.members < 0

    def take(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield parts while there is budget for them. Raises UnsearchedError when it is spent."""
        for part in parts:
            self.left -= len(part)
            if self.left < 0:
                raise UnsearchedError(f"more than {MOST >> 20} MiB are packed in it")
            yield part

    def count(self) -> None:
        """Count a member. Raises UnsearchedError where there are too many."""
        self.members -= 1
        if self.members < 0:
            raise UnsearchedError(f"more than {MOST_MEMBERS} files are packed in it")


class PartsReader(io.RawIOBase):
    """A file to be read once, of parts."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        super().__init__()
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        """Return True: it is there to be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Read some bytes; see io.RawIOBase."""
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def find_kind(name: bytes, head: bytes) -> str | None:
    """Return what kind of container a file is, from how it begins; None if it is not a container."""
    begins = _BEGINNING.match(head)
    if begins is not None:
        return begins.lastgroup and begins.lastgroup.replace("_", "")
    if head[_TAR : _TAR + 5] == b"ustar":
        return "tar"
    if head[:3] == b"]\0\0" and name.endswith(b".lzma"):
        return "xz"
    if head[:1] == b"x" and len(head) > 2 and not int.from_bytes(head[:2], "big") % 31 and head[1] in _LEVELS:  # noqa: PLR2004
        return "zlib"
    return None


_BEGINNING = re.compile(
    rb"(?P<zip>PK(?:\x03\x04|\x05\x06))|(?P<gzip>\x1f\x8b\x08)|(?P<bzip2>BZh[1-9]1AY&SY)|(?P<xz>\xfd7zXZ\0)"
    rb"|(?P<zstd>\x28\xb5\x2f\xfd)|(?P<git>PACK\0\0\0\x02)|(?P<_7z>7z\xbc\xaf\x27\x1c)|(?P<rar>Rar!\x1a\x07)"
    rb"|(?P<lz4>\x04\x22\x4d\x18)|(?P<lzip>LZIP\x01)|(?P<compress>\x1f\x9d)"
)
_LEVELS = (0x01, 0x5E, 0x9C, 0xDA)
_MEDIA = re.compile(
    rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|RIFF....(?:WEBP|WAVE|AVI )|OggS|ID3|fLaC|wOF[F2]|OTTO|\0\x01\0\0\0"
    rb"|II\*\0|MM\0\*|....ftyp|\x93NUMPY(?!.{4,40}\|O)|\x1aE\xdf\xa3|BM....\0\0\0\0",
    re.DOTALL,
)


def is_media(head: bytes) -> bool:
    """Whether a file begins as pictures, sound, fonts and arrays of numbers do, in which nobody writes."""
    return _MEDIA.match(head) is not None
