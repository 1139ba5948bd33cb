"""The layout of the data stream: the tar inside DATA.tar.zst, as it follows from the entries alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.bundle import tar
from rtrace.bundle.entry import Entry, FileType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFIX = b"DATA"
_SECOND = 1_000_000_000
_KINDS = {
    FileType.REGULAR: tar.REGULAR,
    FileType.DIRECTORY: tar.DIRECTORY,
    FileType.SYMLINK: tar.SYMLINK,
    FileType.FIFO: tar.FIFO,
}


def has_content(entry: Entry) -> bool:
    """Whether an entry's own content is in the data stream: of a regular file, neither link, copy nor left out."""
    return (
        entry.type is FileType.REGULAR
        and entry.link is None
        and entry.copy_of is None
        and not entry.placeholder
        and not entry.elsewhere
    )


def stored_size(entry: Entry) -> int:
    """Return how many bytes of an entry's own content are in the data stream: holes are not."""
    return entry.size if entry.segments is None else sum(length for _, length in entry.segments)


def content_header(entry: Entry) -> bytes:
    """Make the tar header of an entry that has content and no holes."""
    seconds = entry.mtime_ns // _SECOND
    return tar.regular_header(PREFIX + entry.path, entry.size, entry.mode, entry.uid, entry.gid, seconds)


def entry_header(entry: Entry) -> bytes:
    """Make the tar header of an entry: the bytes of the data stream before its content."""
    if entry.segments is None and has_content(entry):  # nearly all there are
        return content_header(entry)
    name = PREFIX + entry.path
    kind = _KINDS[entry.type]
    size = 0
    link = b""
    segments: tuple[tuple[int, int], ...] = ()
    if entry.type is FileType.REGULAR:
        holder = entry.link if entry.copy_of is None else entry.copy_of
        if holder is not None:
            kind, link = tar.HARD_LINK, PREFIX + holder
        elif (entry.placeholder or entry.elsewhere) and entry.size:
            kind, size = tar.SPARSE, entry.size
        elif entry.segments is not None:
            kind, size, segments = tar.SPARSE, entry.size, entry.segments
    elif entry.type is FileType.DIRECTORY:
        name = name if name.endswith(b"/") else name + b"/"
    elif entry.type is FileType.SYMLINK:
        link = entry.target or b""
    return tar.header(name, kind, size, entry.mode, (entry.uid, entry.gid), entry.mtime_ns // _SECOND, link, segments)


def header_size(entry: Entry) -> int:
    """Return how long the tar header of an entry is, without making it."""
    names = [len(PREFIX) + len(entry.path)]
    items = 0
    if entry.type is FileType.REGULAR:
        holder = entry.link if entry.copy_of is None else entry.copy_of
        if holder is not None:
            names.append(len(PREFIX) + len(holder))
        elif entry.segments is not None:
            items = len(entry.segments) + (not entry.segments or sum(entry.segments[-1]) < entry.size)
    elif entry.type is FileType.DIRECTORY:
        names[0] += not entry.path.endswith(b"/")
    elif entry.type is FileType.SYMLINK:
        names.append(len(entry.target or b""))
    return tar.header_size(names, items)


def room(entry: Entry) -> int:
    """Return what the content of an entry takes in the data, filled up to whole blocks."""
    size = stored_size(entry) if has_content(entry) else 0
    return size + len(tar.padding(size))


def lay_out(entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes, int]]:
    """Yield each entry with its header and the offset at which that header starts."""
    offset = 0
    for entry in entries:
        header = entry_header(entry)
        yield entry, header, offset
        offset += len(header) + room(entry)
