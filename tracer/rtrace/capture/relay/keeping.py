"""What is kept of a stream that a run wrote: its first part in a file, and the digest and size of all of it."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

KEPT_BYTES = 256 << 20
"""Bytes of a stream that are kept unless another limit is asked for; the digest is of the whole stream."""


class Kept(NamedTuple):
    """What became of a stream: the bytes the run wrote, those that are in the file, and the SHA-256 of all.

    ``cut`` says that the reader went away before the run ended: nothing is known of what came after.
    """

    size: int
    kept: int
    sha256: str
    cut: bool = False


class Keeper:
    """Takes a stream piece by piece. A full disk never keeps a run from going on: less is kept then."""

    def __init__(self, file: int, limit: int) -> None:
        """Write the first ``limit`` bytes to an open file."""
        import hashlib  # 3 ms, for the relay's process alone

        self.file = file
        self.room = limit
        self.size = 0
        self.kept = 0
        self.cut = False
        self.digest = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Take what comes next."""
        self.size += len(data)
        self.digest.update(data)
        if self.room:
            part = data if len(data) <= self.room else data[: self.room]
            written = 0
            with contextlib.suppress(OSError):
                written = os.write(self.file, part)
            self.kept += written
            self.room = self.room - written if written == len(part) else 0

    def finish(self) -> Kept:
        """Return what came."""
        return Kept(self.size, self.kept, self.digest.hexdigest(), self.cut)


class ReturnRemover:
    """Undoes ONLCR: turns a terminal's output back into what the program wrote."""

    def __init__(self) -> None:
        """Begin with nothing held back."""
        self.held = b""

    def remove(self, data: bytes) -> bytes:
        """Drop the carriage return before each newline; hold back one at the end until the next piece comes."""
        data = self.held + data
        self.held = b"\r" if data.endswith(b"\r") else b""
        return (data[:-1] if self.held else data).replace(b"\r\n", b"\n")

    def flush(self) -> bytes:
        """Return what was held back."""
        held, self.held = self.held, b""
        return held
