"""In what two results may differ: words that a program can rely on, and words for a person."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from rtrace.printable import count

Reason: TypeAlias = Literal[
    "exit status",  # another one
    "size",  # of a file or stream, in bytes
    "content",  # as many bytes, and not the same ones
    "mode",  # other permissions
    "type",  # another kind of file
    "target",  # a symbolic link leads elsewhere
    "still there",  # the original run removed it
    "not written",  # what is there came with the bundle
    "not told",  # whether the replay wrote it cannot be told
    "no digest",  # the bundle does not hold the original's
    "not recorded",  # what the original wrote was not
    "not read",  # the replay's cannot be read
    "not compared",  # no run is known to have written it
    "end not seen",  # of the original run
    "interrupted",  # the original run was
    "limit",  # a limit ended the replay
    "input",  # some of the original's input is not in the bundle
    "package",  # a package of the run is not in the bundle
]
"""Why a line is not the same, as words that a program can rely on."""


class Difference(NamedTuple):
    """In what two things differ: a word that a program can rely on, and words for a person."""

    reason: Reason
    detail: str


def describe_content(size: int | None, sha256: str | None, found_size: int, found_sha256: str | None) -> Difference:
    """Return in what two contents differ: their sizes in bytes or, where these are equal, their digests."""
    if size != found_size:
        return Difference("size", f"{count(found_size, 'byte')}, was {size}")
    same = f"same size ({count(found_size, 'byte')}), different content"
    return Difference("content", f"{same} (SHA-256 {found_sha256}, was {sha256})")
