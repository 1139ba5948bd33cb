"""The layout of DATA.tar.gz as rtrace writes it: the tar of its own bundles, but for what ReproZip does not know.

The root has no member. Further hard links and copies are files of their own, with all of their content: `reprounzip`
would look for the file that a member links to by the name that it has in the tar, and not always find it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.bundle import tar
from rtrace.bundle.stream import has_content, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.bundle.entry import Entry

ROOT = b"/"


def as_member(entry: Entry) -> Entry:
    """Give what an entry is in the data."""
    return entry if entry.link is None and entry.copy_of is None else replace(entry, link=None, copy_of=None)


def room(entry: Entry) -> int:
    """Tell how many bytes the content of an entry takes, filled up to whole blocks."""
    return entry.size + len(tar.padding(entry.size)) if has_content(as_member(entry)) else 0


def lay_out_data(entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes, int]]:
    """Give each entry that has a member, with its header and the offset at which that starts."""
    listed = [entry for entry in entries if entry.path != ROOT]
    for entry, (_, header, offset) in zip(listed, lay_out(map(as_member, listed)), strict=True):
        yield entry, header, offset
