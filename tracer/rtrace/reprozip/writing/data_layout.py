"""The layout of DATA.tar.gz as rtrace writes it: the tar of its own bundles, but for what ReproZip does not know.

The root has no member. Further hard links and copies are files of their own, with all of their content: `reprounzip`
would look for the file that a member links to by the name that it has in the tar, and not always find it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.bundle.data.layout import entry_header, has_content, room
from rtrace.bundle.entry import Entry, FileType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = b"/"


def as_member(entry: Entry) -> Entry:
    """Return what an entry is in the data: complete if its content is anywhere in the bundle, else metadata only."""
    is_whole = has_content(entry) or entry.link is not None or entry.copy_of is not None
    return Entry(
        entry.path,
        entry.type,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.mtime_ns,
        entry.size,
        entry.sha256,
        entry.target,
        placeholder=entry.type is FileType.REGULAR and not is_whole,
        segments=entry.segments,
    )


def stored_parts(entry: Entry, parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts of a content that are not holes; each part is all hole or has none."""
    if entry.segments is None:
        yield from parts
        return
    position = 0
    segments = iter(entry.segments)
    start, end = 0, 0
    for part in parts:
        while end <= position and (segment := next(segments, None)) is not None:
            start, end = segment[0], sum(segment)
        if start <= position < end:
            yield part
        position += len(part)


def lay_out_data(entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes, int]]:
    """Yield each entry that has a member, with its header and the offset at which that starts."""
    offset = 0
    for entry in entries:
        if entry.path != ROOT:
            member = as_member(entry)
            header = entry_header(member)
            yield entry, header, offset
            offset += len(header) + room(member)
