"""Reading files that may have become anything: a FIFO or a terminal must not keep rtrace waiting."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a system does not have of open(2)'s flags is nothing; Windows changes the ends of lines without one of its own.
NO_SYMLINK, NOT_INHERITED = getattr(os, "O_NOFOLLOW", 0), getattr(os, "O_CLOEXEC", 0)
AT_ONCE, NO_TERMINAL, BYTES = getattr(os, "O_NONBLOCK", 0), getattr(os, "O_NOCTTY", 0), getattr(os, "O_BINARY", 0)
WRITTEN_AS_IS = NO_SYMLINK | NOT_INHERITED | BYTES
"""Of a file that is written: no symlink is followed, no program that is started has it."""

_FLAGS = os.O_RDONLY | NOT_INHERITED | NO_SYMLINK | AT_ONCE | NO_TERMINAL | BYTES
_PART = 1 << 20


def open_content(path: str | bytes, flags: int = 0) -> int:
    """Open a file, for `open` or by itself: no symlink, and without waiting at a FIFO. Raises OSError."""
    return os.open(path, flags | _FLAGS)


def read_parts(descriptor: int, expected: int = _PART) -> Iterator[bytes]:
    """Yield what is left of an open file, part by part. Raises OSError.

    No more memory is taken for a part than for as many bytes as are ``expected``: a mebibyte for each of a thousand
    small files takes longer than to read them.
    """
    size = min(expected + 1, _PART)
    while part := os.read(descriptor, size):
        yield part


def open_at_once(path: str | bytes, flags: int) -> int:
    """Open a file as `open` would, but return at once where nobody writes to a FIFO; see fifo(7). Raises OSError."""
    return os.open(path, flags | AT_ONCE | NO_TERMINAL | NOT_INHERITED | BYTES)


def read_at(descriptor: int, size: int, position: int) -> bytes:
    """Read up to ``size`` bytes of an open file, from ``position`` on, and nothing at its end. Raises OSError."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, position)
    os.lseek(descriptor, position, os.SEEK_SET)  # Windows
    return os.read(descriptor, size)


def read_file(path: str | bytes, limit: int | None = None) -> bytes:
    """Read a file; nothing when that is impossible, or when it is longer than ``limit`` bytes."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            content = file.read(-1 if limit is None else limit + 1) or b""
    except OSError:
        return b""
    return content if limit is None or len(content) <= limit else b""


def hash_file(path: str | bytes, algorithm: str = "sha256", *, follow: bool = True) -> bytes | None:
    """Return the digest of a file; None when it cannot be read, or is a symlink and none is to be followed."""
    import hashlib  # 3 ms that a run without outputs does not need

    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        descriptor = open_at_once(path, os.O_RDONLY | (0 if follow else NO_SYMLINK))
        try:
            for part in read_parts(descriptor, os.fstat(descriptor).st_size):
                digest.update(part)
        finally:
            os.close(descriptor)
    except OSError:  # gone or unreadable by now: nobody can tell
        return None
    return digest.digest()
