"""What a bundle knows of a content that a run wrote, besides its digest."""

from __future__ import annotations

from typing import NamedTuple

BLOCK_SIZE = 1 << 20
"""Bytes of a content whose digest is kept in the place of the content itself; the last block may be shorter."""
DIGITS = 64
"""Those of a digest."""


class WrittenContent(NamedTuple):
    """A content that a run wrote, by its SHA-256, and its size in bytes.

    ``offset`` is where it begins in the uncompressed archive of such contents; where that is None, ``blocks`` are the
    SHA-256 of its blocks of BLOCK_SIZE, one after the other.
    """

    sha256: str
    size: int
    offset: int | None
    blocks: str = ""

    def find_block(self, number: int) -> str:
        """Return the digest of a block, numbered from 0."""
        return self.blocks[number * DIGITS : (number + 1) * DIGITS]
