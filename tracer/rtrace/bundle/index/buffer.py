"""Index lines, buffered in a temporary file: a million of them take no memory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rtrace.bundle.data.archive import compress_parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PART = 1 << 20


class LineFile:
    """Lines that are compressed when all of them are there, as a frame begins with the size of its content."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=_PART)

    def write(self, line: str) -> None:
        """Take a line with its newline. Raises OSError when the disk is full."""
        self._file.write(line.encode())

    def compress(self) -> bytes:
        """Return all lines in one frame; the same lines always give the same bytes."""
        size = self._file.tell()
        self._file.seek(0)
        return b"".join(compress_parts(self._parts(), size))

    def close(self) -> None:
        """Forget the lines, also those for which a full disk has no room: whoever wrote them was told."""
        with contextlib.suppress(OSError):  # ENOSPC, EDQUOT
            self._file.close()

    def _parts(self) -> Iterator[bytes]:
        while part := self._file.read(_PART):
            yield part
