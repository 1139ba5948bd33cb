"""The data stream of a bundle, taken from its beginning on, and the proof that what is taken is what was packed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from rtrace.bundle.data.sparse import fill_holes
from rtrace.errors import BundleError
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from rtrace.bundle.entry import Entry


class ContentError(BundleError):
    """A file whose content is not what was packed; the sentence is complete."""


class DataStream:
    """The data stream from its beginning on, as it comes out of the frames."""

    def __init__(self, frames: Generator[bytes, None, None]) -> None:
        self._frames = frames
        self._frame = b""
        self._start = 0
        self._used = 0

    def close(self) -> None:
        """End the threads that decompress."""
        self._frames.close()

    @property
    def position(self) -> int:
        """The offset of what comes next."""
        return self._start + self._used

    def skip_to(self, offset: int) -> None:
        """Leave out what is before an offset."""
        while offset > self._start + len(self._frame):
            self._next_frame()
        self._used = offset - self._start

    def take_some(self, most: int) -> bytes:
        """Take what is at hand, at least a byte and no more than ``most``."""
        if self._used == len(self._frame):
            self._next_frame()
        start = self._used
        part = self._frame[start : start + most]
        self._used = start + len(part)
        return part

    def take_parts(self, length: int) -> Iterator[bytes]:
        """Take exactly so many bytes, part by part."""
        while length:
            part = self.take_some(length)
            length -= len(part)
            yield part

    def take(self, length: int) -> bytes:
        """Take exactly so many bytes."""
        start = self._used
        end = start + length
        if end <= len(self._frame):
            self._used = end
            return self._frame[start:end]
        return b"".join(self.take_parts(length))

    def is_at_end(self) -> bool:
        """Whether nothing follows."""
        return self._used == len(self._frame) and not next(self._frames, b"")

    def _next_frame(self) -> None:
        self._start += len(self._frame)
        self._used = 0
        self._frame = next(self._frames, b"")
        if not self._frame:
            raise BundleError("it ends too early")


def prove_content(bundle: Path, entry: Entry, parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the content of an entry from the parts that are stored; raises ContentError before the last one.

    An empty file is proven when it turns out to have no parts.
    """
    digest = hashlib.sha256()
    left = entry.size
    for part in parts if entry.segments is None else fill_holes(entry.segments, entry.size, parts):
        digest.update(part)
        left -= len(part)
        if not left:
            _compare(bundle, entry, digest.hexdigest())
        yield part
    if not entry.size:
        _compare(bundle, entry, digest.hexdigest())


def _compare(bundle: Path, entry: Entry, sha256: str) -> None:
    if sha256 != entry.sha256:
        raise ContentError(f"{bundle} is damaged: the content of {printable(entry.path)} is not what was packed")
