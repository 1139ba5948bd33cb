"""Reading the content of files that are about to be packed, which may have become anything since the trace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_PART = 1 << 20


def open_content(path: str | bytes, flags: int = 0) -> int:
    """Open a file, for `open` or by itself: no symlink, and without waiting at a FIFO. Raises OSError."""
    return os.open(path, flags | _FLAGS)


def read_parts(descriptor: int) -> Iterator[bytes]:
    """Give what is left of an open file, part by part. Raises OSError."""
    while part := os.read(descriptor, _PART):
        yield part
