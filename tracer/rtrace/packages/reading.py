"""Opening files of whatever kind a run has met: a FIFO or a terminal must not keep the tracer waiting."""

from __future__ import annotations

import os


def open_at_once(path: str | bytes, flags: int) -> int:
    """Open a file as `open` would, but return at once where nobody writes to a FIFO; see fifo(7). Raises OSError."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def read_file(path: str | bytes, limit: int | None = None) -> bytes:
    """Read a file; nothing when that is impossible, or when it is longer than ``limit`` bytes."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            content = file.read(-1 if limit is None else limit + 1) or b""
    except OSError:
        return b""
    return content if limit is None or len(content) <= limit else b""
