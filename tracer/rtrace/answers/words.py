"""Types that several answers share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

IDENTITY_PREFIX = "sha256:"

Identity: TypeAlias = Annotated[str, "sha256: and the SHA-256 of the bundle's manifest, by which to know it"]
Path: TypeAlias = Annotated[str, "a path; bytes that are not UTF-8 or not printable are written with backslashes"]
Sentence: TypeAlias = Annotated[str, "a sentence for people, which may change"]
Seconds: TypeAlias = Annotated[float, "seconds"]
Bytes: TypeAlias = Annotated[int, "bytes"]


def write_identity(digest: str) -> str:
    """Return an identity as every answer has it."""
    return IDENTITY_PREFIX + digest
