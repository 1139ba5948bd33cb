"""What is given to the writer of a bundle, and what it says has become of it."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from rtrace.bundle.entry import Entry
from rtrace.files.stamps import keep_time

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from rtrace.files.xattrs import Attributes


class Item(NamedTuple):
    """What is to be written: an entry, and the file that holds its content if it has any.

    The entry's digest and offset are found while it is written and need not be there. The file at ``source`` must have
    the entry's size, and the time ``mtime_ns``; if that is None, the entry's time at the entry's own path, and any time
    elsewhere (a snapshot). ``linked`` is False when no further hard link to it will come, which saves the memory to
    remember its digest. ``attributes`` are the extended ones; None: those that the source has now, or, of what has no
    content, the file at the entry's path. ``ctime_ns`` is when the file was last touched, None if that is not known.
    """

    entry: Entry
    source: bytes | None = None
    linked: bool = True
    mtime_ns: int | None = None
    attributes: Attributes | None = ()
    ctime_ns: int | None = None


class Written(Enum):
    """What became of an item. Nothing at all was written for the last three."""

    WHOLE = "whole"
    TOUCHED = "it was touched after the trace, and may have changed"
    CHANGED = "it changed after the trace and was packed as it is now"
    VANISHED = "it is no longer there"
    HOLLOW = "it has larger holes than a bundle may hold"
    UNREADABLE = "it cannot be read"


def compare_state(item: Item, state: os.stat_result) -> Written:
    """Return whether the file at an item's source is as the item says: WHOLE, TOUCHED or CHANGED."""
    entry, mtime_ns = item.entry, item.mtime_ns
    if mtime_ns is None and item.source in {None, entry.path}:
        mtime_ns = entry.mtime_ns
    if state.st_size != entry.size or mtime_ns not in {None, keep_time(state.st_mtime_ns)}:
        return Written.CHANGED
    return Written.WHOLE if item.ctime_ns in {None, keep_time(state.st_ctime_ns)} else Written.TOUCHED


def find_repeated(items: Iterable[Item]) -> frozenset[int]:
    """Return the sizes that the contents of several items have; empty ones take no room anyway."""
    sizes = Counter(item.entry.size for item in items if item.source is not None)
    return frozenset(size for size, number in sizes.items() if number > 1 and size)
