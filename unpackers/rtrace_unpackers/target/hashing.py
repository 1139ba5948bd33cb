"""The digests of a tree's files: small ones at once, large ones side by side, on all processors that there are.

A large file is hashed by a thread, as `hashlib` and reading let other threads run meanwhile. Only threads read; the
walk through the tree opens the files, as only it knows when a folder may be entered.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from rtrace.bundle.data.sparse import HASHED_HOLES
from rtrace.bundle.writing.digests import digest_content
from rtrace.files.holes import find_segments

LARGE = 1 << 20
"""Bytes from which on a thread is worth its while."""
MOST_THREADS = 8
MOST_OPEN = 32
"""Files that are open at a time, as a process may not have many more."""


class Hashing:
    """Hashes open files, and closes them. Left after an error, it waits for those that are being read."""

    def __init__(self) -> None:
        self.pool: ThreadPoolExecutor | None = None
        self.pending: list[tuple[bytes, Future[str | None]]] = []
        self.done: list[tuple[bytes, str | None]] = []

    def __enter__(self) -> Hashing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True)

    def take(self, path: bytes, descriptor: int) -> None:
        """Hash an open file, now or soon. Raises OSError, also for one that was taken before."""
        if os.fstat(descriptor).st_size < LARGE:
            self.done.append((path, hash_open(descriptor)))
            return
        if self.pool is None:
            self.pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), "hashing")
        self.pending.append((path, self.pool.submit(hash_open, descriptor)))
        if len(self.pending) >= MOST_OPEN:
            self.settle(self.pending.pop(0))

    def settle(self, pending: tuple[bytes, Future[str | None]]) -> None:
        """Wait for a digest."""
        path, future = pending
        self.done.append((path, future.result()))

    def finish(self) -> Iterator[tuple[bytes, str | None]]:
        """Yield the path of each file with its digest, when all are there. Raises OSError."""
        while self.pending:
            self.settle(self.pending.pop(0))
        yield from self.done


def hash_open(descriptor: int) -> str | None:
    """Return the SHA-256 of an open regular file, and close it. Raises OSError.

    Of holes nothing is read, but their zeros take time all the same: there is no digest of a file with terabytes.
    """
    try:
        status = os.fstat(descriptor)
        segments = find_segments(descriptor, status)
        if segments is not None and status.st_size - sum(length for _, length in segments) > HASHED_HOLES:
            return None
        return digest_content(descriptor, status.st_size, segments).hex()
    finally:
        os.close(descriptor)
