"""Where bytes come from: a range of a file, or what comes out of a decompressor, never more at once than requested.

The decompressors of the standard library's own file objects trust what they read: an xz stream may ask for gigabytes
of memory. Here the memory has a limit, whatever the stream says.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

from rtrace.errors import BundleError, HostileBundleError
from rtrace.reprozip.reading.limits import check_content_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 256 << 10
_INPUT = 64 << 10
_XZ_MEMORY = 80 << 20
"""A little more than `xz -9` needs."""
_STREAMS_FREE = 1000
_STREAM_SIZE = 4096
"""Bytes that each further stream has to hold on average: those that pigz and bgzip write hold 64 KiB and more."""
_PADDING_LIMIT = 1 << 20


class Source(Protocol):
    """Bytes from front to back."""

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, at least one; none at the end. Raises BundleError."""

    def skip(self, size: int) -> None:
        """Leave out so many bytes. Raises BundleError when there are fewer."""


def skip_by_reading(source: Source, size: int) -> None:
    """Take so many bytes and forget them. Raises BundleError when there are fewer."""
    while size:
        part = source.read(min(size, CHUNK))
        if not part:
            raise BundleError("it is cut off")
        size -= len(part)


class _Decoder(Protocol):
    """What bz2 and lzma call a decompressor."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the manners of the other two; it checks the checksum and the length of what it gave."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_KINDS: dict[bytes, Callable[[], _Decoder]] = {
    b"\x1f\x8b": _Gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY),
}
MAGIC_LENGTH = max(map(len, _KINDS))


class Decompressed:
    """What a source holds when it is decompressed; itself, when it begins as no compressed stream does.

    What comes out is no more than a bundle of ``bundle_size`` bytes may hold: HostileBundleError, as soon as it is.
    """

    def __init__(self, source: Source, bundle_size: int) -> None:
        self._source = source
        self._size = 0
        self._bundle_size = bundle_size
        self._streams = 1
        self._waiting = take(source, MAGIC_LENGTH, whole=False)
        self._kind = next((kind for magic, kind in _KINDS.items() if self._waiting.startswith(magic)), None)
        self._decoder = self._kind() if self._kind else None
        self._ready = b""
        self._used = 0

    @property
    def is_compressed(self) -> bool:
        """Whether it is not the source itself."""
        return self._kind is not None

    def read(self, size: int) -> bytes:
        """Return what comes next."""
        if self._used == len(self._ready):
            self._ready, self._used = self._fill(), 0
        part = self._ready[self._used : self._used + size]
        self._used += len(part)
        return part

    def _fill(self) -> bytes:
        """Return the next piece, of the same size however little is asked for: a decoder copies what it did not use."""
        if self._kind is None:
            start, self._waiting = self._waiting, b""
            return start or self._source.read(CHUNK)
        try:
            return self._decode(CHUNK)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise BundleError(f"it cannot be decompressed ({error})") from None

    def skip(self, size: int) -> None:
        """Take so many bytes and forget them."""
        skip_by_reading(self, size)

    def _decode(self, size: int) -> bytes:
        while self._decoder is not None:
            data, self._waiting = self._waiting, b""
            if not data and self._decoder.needs_input:
                data = self._source.read(_INPUT)
            part = self._decoder.decompress(data, size)
            if self._decoder.eof:
                self._begin_next()
            elif not part and not data and self._decoder.needs_input:
                raise BundleError("it is cut off")
            if part:
                self._size += len(part)
                check_content_size(self._size, self._bundle_size)
                return part
        return b""

    def _begin_next(self) -> None:
        """Look at what follows a stream: nothing but zeros, or another stream."""
        rest = self._decoder.unused_data if self._decoder else b""
        self._decoder = None
        while not (rest := rest.lstrip(b"\0")):
            rest = self._source.read(CHUNK)
            if not rest:
                return
        magic = next(magic for magic, kind in _KINDS.items() if kind is self._kind)
        rest += take(self._source, max(0, len(magic) - len(rest)), whole=False)
        if not rest.startswith(magic) or self._kind is None:
            raise BundleError("something else follows what is compressed")
        self._streams += 1
        if self._streams > _STREAMS_FREE + self._size // _STREAM_SIZE:
            raise HostileBundleError("the bundle is compressed in streams without number that hold next to nothing")
        self._decoder = self._kind()
        self._waiting = rest


def take(source: Source, size: int, *, whole: bool = True) -> bytes:
    """Return exactly so many bytes; at the end fewer, which is an error if they have to be ``whole``."""
    parts = []
    while size > 0:
        part = source.read(size)
        if not part:
            if whole:
                raise BundleError("it is cut off")
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def chunks(source: Source, size: int) -> Iterator[bytes]:
    """Yield so many bytes, a chunk at a time."""
    while size:
        part = source.read(min(size, CHUNK))
        if not part:
            raise BundleError("it is cut off")
        size -= len(part)
        yield part


def expect_end(source: Source) -> None:
    """Read to the end, so that checksums there are compared; refuse anything but a padding of zeros."""
    length = 0
    while part := source.read(CHUNK):
        length += len(part)
        if part.strip(b"\0") or length > _PADDING_LIMIT:
            raise BundleError("something follows after its end")
