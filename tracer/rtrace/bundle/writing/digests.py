"""Digests of open files."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle.data.sparse import zeros

if TYPE_CHECKING:
    from rtrace.files.holes import Segments

_STEP = 1 << 20


def digest_content(descriptor: int, size: int, segments: Segments | None) -> bytes:
    """Return the SHA-256 of an open file; of a sparse one, only the parts that hold data are read. Raises OSError."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_STEP))

    def read(start: int, end: int) -> None:
        while start < end and (length := os.preadv(descriptor, [buffer[: end - start]], start)):
            digest.update(buffer[:length])
            start += length

    end = 0
    for start, length in ((0, size),) if segments is None else segments:
        for hole in zeros(start - end):
            digest.update(hole)
        end = start + length
        read(start, end)
    for hole in zeros(size - end):
        digest.update(hole)
    return digest.digest()


def digest_file(file: BinaryIO) -> str:
    """Return the SHA-256 of what is left of a file."""
    digest = hashlib.sha256()
    while chunk := file.read(_STEP):
        digest.update(chunk)
    return digest.hexdigest()
