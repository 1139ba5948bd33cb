"""Signal masks of threads: signal(7), pthread_sigmask(3)."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def unblocked(number: int) -> Iterator[None]:
    """Let this thread get a signal, which does what it does by default."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})
