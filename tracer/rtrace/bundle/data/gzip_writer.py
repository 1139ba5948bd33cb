"""A gzip stream compressed by all cores, and yet one member, as ReproZip's unpackers read no second one.

The content is cut into blocks, each compressed on its own with the end of the block before as its dictionary, and ended
at a whole byte (``Z_SYNC_FLUSH``); so the parts make one deflate stream (RFC 1951) when they are put behind each other.

    header: 1f 8b 08 | flags 0 | time 0 | 0 | system 255      parts      CRC-32 | length: 4 bytes each, little-endian

Neither the number of cores nor the time has an influence on the bytes; the version of zlib may have.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle.data.archive import cores

if TYPE_CHECKING:
    from types import TracebackType

_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_TRAILER = struct.Struct("<II")
_LEVEL = 6
_BLOCK = 1 << 20
_WINDOW = 32 << 10
"""How far back deflate looks."""


class GzipWriter:
    """Compresses what is written to it. ``position`` is the number of bytes taken so far."""

    def __init__(self, file: BinaryIO) -> None:
        self.position = 0
        self._file = file
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="gzip")
        self._waiting: deque[Future[bytes]] = deque()
        self._block = bytearray()
        self._window = b""
        self._checksum = 0
        self._digest = hashlib.sha256()
        self._emit(_HEADER)

    def __enter__(self) -> GzipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def write(self, content: bytes) -> None:
        """Take some bytes."""
        self.position += len(content)
        self._block += content
        while len(self._block) >= _BLOCK:
            block = bytes(self._block[:_BLOCK])
            del self._block[:_BLOCK]
            self._submit(block, is_last=False)

    def finish(self) -> str:
        """Write what is left and the end; return the SHA-256 of the stream."""
        self._submit(bytes(self._block), is_last=True)
        while self._waiting:
            self._emit(self._waiting.popleft().result())
        self._emit(_TRAILER.pack(self._checksum, self.position & 0xFFFFFFFF))
        return self._digest.hexdigest()

    def _submit(self, block: bytes, *, is_last: bool) -> None:
        self._checksum = zlib.crc32(block, self._checksum)
        self._waiting.append(self._pool.submit(_compress, block, self._window, is_last=is_last))
        self._window = block[-_WINDOW:]
        while self._waiting and (len(self._waiting) > cores() + 1 or self._waiting[0].done()):
            self._emit(self._waiting.popleft().result())

    def _emit(self, content: bytes) -> None:
        self._digest.update(content)
        self._file.write(content)


def _compress(block: bytes, window: bytes, *, is_last: bool) -> bytes:
    """Compress one block as a part of a deflate stream."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_DEFAULT_STRATEGY, window)
    return compressor.compress(block) + compressor.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
