"""Seekable zstd archives: written by all cores in independent frames, read from any place. The one door to zstandard.

    frame | frame | ... | frame | seek table

Every frame holds FRAME_SIZE bytes (the last one: what is left) with its content size in the header and a checksum at
its end. The seek table is that of the Zstandard Seekable Format 0.1.0 (contrib/seekable_format in zstd's sources): a
skippable frame, so that any zstd decompresses the archive as if it were one stream. All its numbers are little-endian:

    0x184D2A5E | length of the rest | (compressed, decompressed size) of each frame | frames | flags: 0 | 0x8F92EAB1
     4 bytes          4 bytes                   4 + 4 bytes                             4         1           4
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
from array import array
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

import zstandard

from rtrace.bundle.members import FRAME_SIZE
from rtrace.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from concurrent.futures import Future

    from rtrace.bundle.data.file_range import FileRange

_LEVEL = 3
_SEEKABLE_MAGIC = 0x8F92EAB1
_SKIPPABLE_MAGIC = 0x184D2A5E
_LARGEST_FRAME = FRAME_SIZE + FRAME_SIZE // 128
"""Compressed: zstd never makes content that does not compress longer by more than 1/256 and a few bytes."""
_PART, _SMALL_PART = 1 << 20, 4096
"""Bytes that are read at a time; few where what comes out of them, 32,768 times as much at most, comes at once."""
WINDOW_LIMIT = 8 << 20
ORDINARY_WINDOW_LIMIT = 1 << 27
"""Bytes that decompressing part by part may have to remember: what RFC 8878 wants every decoder to have."""
FRAME_HEADER_SIZE = 18
_LEAST_FRAME = 96
"""Compressed: a frame is made of blocks of at most 128 KiB, each with a header of three bytes."""
_HEADER = struct.Struct("<II")
_ITEM = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
_PER_THREAD = threading.local()


def cores() -> int:
    """Count the cores that this process may use; at most 16, which bounds the memory."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, 16)


def compress_frame(content: bytes | bytearray | memoryview) -> bytes:
    """Compress content into one frame; the same content always gives the same bytes."""
    try:
        compressor: zstandard.ZstdCompressor = _PER_THREAD.compressor
    except AttributeError:
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
        _PER_THREAD.compressor = compressor
    return compressor.compress(content)


def compress_parts(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Compress parts that are ``size`` bytes together into one frame; the same parts always give the same bytes."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    stream = compressor.compressobj(size=size)
    for part in parts:
        yield stream.compress(part)
    yield stream.flush()


def decompress_frame(frame: bytes, size: int) -> bytes:
    """Decompress one frame that must hold ``size`` bytes; never makes more. Raises BundleError."""
    try:
        decompressor: zstandard.ZstdDecompressor = _PER_THREAD.decompressor
    except AttributeError:
        decompressor = _PER_THREAD.decompressor = zstandard.ZstdDecompressor()
    try:
        # The size is checked first because zstandard allocates what the header says.
        if zstandard.get_frame_parameters(frame).content_size != size:
            raise BundleError(f"a frame does not hold the {size} bytes that it should")
        content = decompressor.decompress(frame, max_output_size=size)
    except zstandard.ZstdError as error:
        raise BundleError(f"a frame cannot be decompressed ({error})") from None
    return content


def decompress_parts(frame: FileRange, size: int) -> Iterator[bytes]:
    """Decompress one frame that must hold ``size`` bytes, a part at a time; never makes more. Raises BundleError."""
    left = size
    try:
        with zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT).stream_reader(frame) as reader:  # type: ignore[arg-type]  # it reads, and nothing else
            while part := reader.read(_PART):
                left -= len(part)
                if left < 0:
                    break
                yield part
    except zstandard.ZstdError as error:
        raise BundleError(f"a frame cannot be decompressed ({error})") from None
    if left:
        raise BundleError(f"a frame does not hold the {size} bytes that it should")


def decompress_stream(file: BinaryIO) -> Iterator[bytes]:
    """Decompress the frames of a file, a part at a time. Raises BundleError."""
    try:
        decompressor = zstandard.ZstdDecompressor(max_window_size=ORDINARY_WINDOW_LIMIT)
        with decompressor.stream_reader(file, read_across_frames=True, closefd=False) as reader:
            while part := reader.read(_PART):
                yield part
    except zstandard.ZstdError as error:
        raise BundleError(f"a frame cannot be decompressed ({error})") from None


def decompress_frames(file: BinaryIO) -> Iterator[bytes]:
    """Decompress a file of whole frames, a part at a time. Raises BundleError, for one that is cut off, too."""
    left = b""
    while part := left or file.read(_SMALL_PART):
        left = b""
        try:
            whole = zstandard.ZstdDecompressor(max_window_size=ORDINARY_WINDOW_LIMIT).decompressobj()
            while True:
                yield whole.decompress(part)
                if whole.eof:
                    left = whole.unused_data
                    break
                part = file.read(_SMALL_PART)
                if not part:
                    raise BundleError("its last frame is cut off")
        except zstandard.ZstdError as error:
            raise BundleError(f"a frame cannot be decompressed ({error})") from None


def frame_size(frame: bytes) -> int:
    """Return how many bytes a frame says it holds, by its first FRAME_HEADER_SIZE bytes.

    Raises BundleError when it does not say, is no frame, or asks for more memory than a reader gives.
    """
    try:
        parameters = zstandard.get_frame_parameters(frame)
    except zstandard.ZstdError as error:
        raise BundleError(f"it is not a zstd frame ({error})") from None
    size: int = parameters.content_size
    if size in {zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR}:
        raise BundleError("its frame does not tell its size")
    if parameters.window_size > WINDOW_LIMIT:
        raise BundleError(f"its frame needs a window of {parameters.window_size} bytes to be decompressed")
    return size


def table_size(size: int) -> int:
    """Return how long the seek table of an archive is that holds ``size`` bytes."""
    return _HEADER.size + -(-size // FRAME_SIZE) * _ITEM.size + _FOOTER.size


class ArchiveWriter:
    """Compresses what is written to it, frame by frame, in a pool of threads; one more writes them in order.

    ``position`` is the number of bytes taken so far. Memory: one buffer of FRAME_SIZE for each core and three more.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.position = 0
        self._filled = 0
        self._file = file
        from concurrent.futures import ThreadPoolExecutor  # 5 ms that reading does not need

        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="compress")
        self._emitter = ThreadPoolExecutor(1, thread_name_prefix="emit")
        self._waiting: deque[Future[None]] = deque()
        self._most_waiting = cores() + 1
        self._spare: list[bytearray] = []
        self._table = bytearray()
        self._frames = 0
        self._digest = hashlib.sha256()
        self._begin_frame()

    def write(self, content: bytes) -> None:
        """Take some bytes."""
        start = self._filled
        end = start + len(content)
        if end < FRAME_SIZE:
            self._view[start:end] = content
            self._filled = end
            self.position += end - start
            return
        taken = 0
        while taken < len(content):
            part = content[taken : taken + FRAME_SIZE - self._filled]
            self.space()[: len(part)] = part
            self.fill(len(part))
            taken += len(part)

    def space(self) -> memoryview:
        """Lend the free part of the current frame, never empty, to be read into; ``fill`` tells how much was."""
        return self._view[self._filled :]

    def fill(self, length: int) -> None:
        """Take the first ``length`` bytes of what ``space`` lent."""
        self._filled += length
        self.position += length
        if self._filled == FRAME_SIZE:
            self._submit()
            self._begin_frame()

    def finish(self) -> str:
        """Write what is left and the seek table; give the SHA-256 of the whole archive."""
        if self._filled:
            self._submit()
        while self._waiting:
            self._waiting.popleft().result()
        table = bytes(self._table) + _FOOTER.pack(self._frames, 0, _SEEKABLE_MAGIC)
        self._emit(_HEADER.pack(_SKIPPABLE_MAGIC, len(table)) + table)
        self.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """End the threads; what was not finished is lost."""
        self._emitter.shutdown(wait=True, cancel_futures=True)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _begin_frame(self) -> None:
        self._buffer = self._spare.pop() if self._spare else bytearray(FRAME_SIZE)
        self._view = memoryview(self._buffer)
        self._filled = 0

    def _submit(self) -> None:
        compressed = self._pool.submit(compress_frame, self._view[: self._filled])
        self._waiting.append(self._emitter.submit(self._write_frame, compressed, self._buffer, self._filled))
        while self._waiting and (len(self._waiting) > self._most_waiting or self._waiting[0].done()):
            self._waiting.popleft().result()

    def _write_frame(self, compressed: Future[bytes], buffer: bytearray, size: int) -> None:
        frame = compressed.result()
        self._spare.append(buffer)
        self._table += _ITEM.pack(len(frame), size)
        self._frames += 1
        self._emit(frame)

    def _emit(self, content: bytes) -> None:
        self._digest.update(content)
        self._file.write(content)


class ArchiveReader:
    """Reads an archive that lies in a file from ``start`` on, ``length`` bytes long, and trusts nothing unchecked."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._start = start
        self._last: tuple[int, bytes] = (-1, b"")
        self._offsets, self.size = self._read_table(length)

    def _read_table(self, length: int) -> tuple[array[int], int]:
        """Return the place of every frame (and the end of the last) and the number of bytes in all of them."""
        footer = self._read(length - _FOOTER.size, _FOOTER.size) if length >= _FOOTER.size else b""
        frames, flags, magic = _FOOTER.unpack(footer) if footer else (0, 0, 0)
        if magic != _SEEKABLE_MAGIC or flags:
            raise BundleError("it does not end in a seek table")
        table_size = frames * _ITEM.size + _FOOTER.size
        table_start = length - table_size - _HEADER.size
        if table_start < 0:
            raise BundleError("its seek table is longer than all of it")
        if (frames - 1) * _LEAST_FRAME > table_start:
            raise BundleError("its seek table has more frames than there can be in so many bytes")
        if _HEADER.unpack(self._read(table_start, _HEADER.size)) != (_SKIPPABLE_MAGIC, table_size):
            raise BundleError("its seek table has no proper beginning")
        offsets = array("Q", [0])
        size = 0
        table = self._read(table_start + _HEADER.size, frames * _ITEM.size)
        for number, (compressed, decompressed) in enumerate(_ITEM.iter_unpack(table)):
            if decompressed != FRAME_SIZE and not (number == frames - 1 and 0 < decompressed < FRAME_SIZE):
                raise BundleError(f"its seek table gives frame {number} a size of {decompressed} bytes")
            if not 0 < compressed <= _LARGEST_FRAME:
                raise BundleError(f"its seek table gives frame {number} {compressed} compressed bytes")
            offsets.append(offsets[-1] + compressed)
            size += decompressed
        if offsets[-1] != table_start:
            raise BundleError("its seek table does not agree with its length")
        return offsets, size

    def _read(self, offset: int, length: int) -> bytes:
        self._file.seek(self._start + offset)
        content = self._file.read(length)
        if len(content) != length:
            raise BundleError("it is cut off")
        return content

    def _compressed(self, frame: int) -> bytes:
        return self._read(self._offsets[frame], self._offsets[frame + 1] - self._offsets[frame])

    def _size_of(self, frame: int) -> int:
        return min(FRAME_SIZE, self.size - frame * FRAME_SIZE)

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``offset`` on, a frame's worth at a time, reading those frames only.

        The last frame is kept for whoever reads small files in the order in which they lie.
        """
        end = offset + length
        if not 0 <= offset <= end <= self.size:
            raise BundleError(f"it holds {self.size} bytes, not the ones at {offset} to {end}")
        while offset < end:
            number, skipped = divmod(offset, FRAME_SIZE)
            last, content = self._last
            if last != number:
                content = decompress_frame(self._compressed(number), self._size_of(number))
                self._last = (number, content)
            part = content[skipped : skipped + end - offset]
            offset += len(part)
            yield part

    def find_bad_frame(self) -> tuple[int, int] | None:
        """Return where the first frame is that cannot be decompressed: its first byte, and the one after its last."""
        for number in range(len(self._offsets) - 1):
            try:
                decompress_frame(self._compressed(number), self._size_of(number))
            except BundleError:
                return self._offsets[number], self._offsets[number + 1]
        return None

    def frames(self) -> Generator[bytes, None, None]:
        """Yield the content of every frame in order, decompressed ahead of the caller by a pool of threads."""
        from concurrent.futures import ThreadPoolExecutor

        ahead = cores() + 1
        waiting: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(cores(), thread_name_prefix="decompress") as pool:
            try:
                for number in range(len(self._offsets) - 1):
                    waiting.append(pool.submit(decompress_frame, self._compressed(number), self._size_of(number)))
                    if len(waiting) > ahead:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
