"""Placeholders: a run only looked at name and size of these files. They are holes, or take the room that they took."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from rtrace.bundle.entry import Entry
from rtrace.errors import BundleError
from rtrace.printable import format_size, printable
from rtrace_unpackers.files.creation import create, finish
from rtrace_unpackers.files.descent import Descent
from rtrace_unpackers.files.ownership import Ownership

BLOCK = 512
"""Bytes; what stat(2) counts the room of a file in."""
PLACEHOLDERS_LIMIT = 1 << 30
"""Bytes of disk that placeholders may take together, as their files did."""
PLACEHOLDERS_SHARE = 4
"""What part of the free room that may be at most, as a divisor."""


def write_placeholders(
    placeholders: Sequence[Entry], room: int, descent: Descent, ownership: Ownership
) -> tuple[Entry, ...]:
    """Write placeholders where there is so much room; return those that do not take the room that they should."""
    roomy = choose_roomy(placeholders, room // PLACEHOLDERS_SHARE)
    return tuple(
        entry for entry in placeholders if not write_placeholder(entry, descent, ownership, has_room=entry in roomy)
    )


def choose_roomy(placeholders: Iterable[Entry], room: int) -> frozenset[Entry]:
    """Choose the placeholders that take as much room as their files did: the smallest first, up to a limit in bytes."""
    chosen = set()
    left = min(room, PLACEHOLDERS_LIMIT)
    for entry in sorted(
        (entry for entry in placeholders if entry.blocks), key=lambda entry: (entry.blocks, entry.path)
    ):
        left -= (entry.blocks or 0) * BLOCK
        if left < 0:
            break
        chosen.add(entry)
    return frozenset(chosen)


def tell_unreserved(placeholders: Sequence[Entry]) -> tuple[str, ...]:
    """Return a sentence on the placeholders that take less room on the disk than in the run, if there are any."""
    if not placeholders:
        return ()
    size = format_size(sum((entry.blocks or 0) * BLOCK for entry in placeholders))
    others = f" and {len(placeholders) - 1} more" if len(placeholders) > 1 else ""
    files = f"{printable(placeholders[0].path)}{others}, only looked at by the run"
    return (f"no room is reserved for the {size} of {files}: `du` and the total of `ls -l` are smaller in a replay",)


def write_placeholder(entry: Entry, descent: Descent, ownership: Ownership, *, has_room: bool) -> bool:
    """Write a file of holes, or of reserved blocks if it ``has_room``; return whether it takes the room it should."""
    descriptor = create(entry, descent, ownership)
    try:
        try:
            os.ftruncate(descriptor, entry.size)
        except OSError:
            raise BundleError(
                f"{printable(entry.path)} has {entry.size} bytes, too many for a file on this file system; "
                "unpack on another one"
            ) from None
        reserved = reserve(descriptor, min(entry.size, (entry.blocks or 0) * BLOCK)) if has_room else not entry.blocks
        finish(descriptor, entry, ownership)
    finally:
        os.close(descriptor)
    return reserved


def reserve(descriptor: int, size: int) -> bool:
    """Reserve room on the disk for the first bytes of an open file; return whether that worked. See fallocate(2)."""
    if not size:
        return True
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (OSError, AttributeError):  # ENOSPC, EOPNOTSUPP; a system without the call: it stays a file of holes
        return False
    return True
