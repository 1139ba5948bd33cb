"""The extended attributes of the files that go into a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.entry_xattrs import choose
from rtrace.files.xattrs import read_attributes

if TYPE_CHECKING:
    from rtrace.files.xattrs import Attributes


class AttributeKeeper:
    """Puts attributes into entries. ``unkept`` are those that cannot be: each a file that has it, and how many do."""

    def __init__(self) -> None:
        self.unkept: dict[str, tuple[bytes, int]] = {}

    def put(self, entry: Entry, attributes: Attributes | None, file: bytes | int) -> Entry:
        """Return an entry with these attributes; None: with those that a file has now, which is not followed."""
        if attributes is None:
            if entry.type is FileType.SYMLINK:
                return entry
            attributes, lost = read_attributes(file)
            for name in lost:
                first, number = self.unkept.get(name, (entry.path, 0))
                self.unkept[name] = (first, number + 1)
        chosen = choose(entry, attributes) if attributes else ()
        return entry._replace(xattrs=chosen) if chosen else entry
