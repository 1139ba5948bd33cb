"""A range of a file, read from front to back."""

from __future__ import annotations

from typing import BinaryIO

from rtrace.errors import BundleError


class FileRange:
    """A range of a file; other readers of the same file do not disturb it."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._position = start
        self._end = start + size

    def read(self, size: int = -1) -> bytes:
        """Return what comes next, nothing at the end of the range. Raises BundleError if the file is shorter."""
        left = self._end - self._position
        size = left if size < 0 else min(size, left)
        if size <= 0:
            return b""
        self._file.seek(self._position)
        content = self._file.read(size)
        if not content:
            raise BundleError("it is cut off")
        self._position += len(content)
        return content

    def skip(self, size: int) -> None:
        """Go on behind so many bytes. Raises BundleError when there are fewer."""
        if size > self._end - self._position:
            raise BundleError("it is cut off")
        self._position += size

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return self._end - self._position
