"""Which extended attributes an entry may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.limits import NAMES_LIMIT
from rtrace.printable import shorten_path

if TYPE_CHECKING:
    from rtrace.files.xattrs import Attributes

NAME_LIMIT = 255
VALUE_LIMIT = 64 << 10
"""Bytes, XATTR_NAME_MAX and XATTR_SIZE_MAX."""
_FILE, _FOLDER, _FIFO = FileType.REGULAR, FileType.DIRECTORY, FileType.FIFO
_HOLDERS = {
    b"security.capability": {_FILE},
    b"system.posix_acl_access": {_FILE, _FOLDER, _FIFO},
    b"system.posix_acl_default": {_FOLDER},
}


def fits(kind: FileType, name: bytes) -> bool:
    """Whether a file of a kind may have an attribute: a capability, an access list, or a user's own."""
    return kind in _HOLDERS.get(name, ()) or (name.startswith(b"user.") and kind in {_FILE, _FOLDER})


def choose(entry: Entry, attributes: Attributes) -> Attributes:
    """Choose the attributes that an entry may have."""
    return tuple((name, value) for name, value in attributes if fits(entry.type, name))


def attributes_problem(entry: Entry) -> str | None:
    """Return what is wrong with an entry's attributes; None when nothing is."""
    if entry.link is not None:
        return "extended attributes, though it is a hard link"
    if sum(len(name) + 1 for name, _ in entry.xattrs) > NAMES_LIMIT:
        return "more extended attributes than a file can have"
    previous = b""
    for name, value in entry.xattrs:
        if len(name) > NAME_LIMIT or not fits(entry.type, name) or b"\0" in name or name == b"user.":
            return f"the extended attribute {shorten_path(name)!r}, which no such file may have"
        if name <= previous:
            return "extended attributes twice or out of order"
        if len(value) > VALUE_LIMIT:
            return f"an extended attribute of {len(value)} bytes"
        previous = name
    return None
