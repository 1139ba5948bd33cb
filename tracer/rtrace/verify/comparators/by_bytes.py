"""Contents as bytes: what can be said of any file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.printable import count
from rtrace.verify.comparators.model import Difference

if TYPE_CHECKING:
    from rtrace.bundle.entry import Result
    from rtrace.verify.comparators.model import Comparator


class ByBytes:
    """Tells sizes or, where these are equal, digests."""

    def knows(self, expected: Result) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether it has something to say: of every file."""
        return True

    def describe(self, expected: Result, found: Result) -> Difference:
        """Return the sizes in bytes or, where these are equal, the digests."""
        return describe_content(expected.size, expected.sha256, found.size, found.sha256)


def describe_content(size: int | None, sha256: str | None, found_size: int, found_sha256: str | None) -> Difference:
    """Return in what two contents differ: their sizes in bytes or, where these are equal, their digests."""
    if size != found_size:
        return Difference("size", f"{count(found_size, 'byte')}, was {size}")
    same = f"same size ({count(found_size, 'byte')}), different content"
    return Difference("content", f"{same} (SHA-256 {found_sha256}, was {sha256})")


BY_BYTES: Comparator = ByBytes()
