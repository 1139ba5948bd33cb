"""Ids of users and groups within extended attributes: access control lists, acl(5), and capabilities of a namespace.

linux/posix_acl_xattr.h   u32 version 2, then for each entry u16 tag, u16 permissions, u32 id; little-endian
linux/capability.h        u32, its highest byte is the revision; in revision 3 the last u32 is a user's id
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from rtrace.files.xattrs import ACCESS_LIST, CAPABILITY, DEFAULT_LIST

if TYPE_CHECKING:
    from collections.abc import Callable

_LISTS = frozenset(map(os.fsencode, (ACCESS_LIST, DEFAULT_LIST)))
_CAPABILITY = os.fsencode(CAPABILITY)
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_NAMED = frozenset({2, 8})  # ACL_USER, ACL_GROUP
_REVISION_3, _SIZE_3 = b"\x03", 24


def map_ids(name: bytes, value: bytes, map_id: Callable[[int], int]) -> bytes:
    """Return the value of an attribute with other ids; a value of unknown form stays as it is."""
    if name in _LISTS and value.startswith(_VERSION) and (len(value) - len(_VERSION)) % _ENTRY.size == 0:
        entries = [
            (tag, map_id(number) if tag in _NAMED else number, permissions)
            for tag, permissions, number in _ENTRY.iter_unpack(value[len(_VERSION) :])
        ]
        entries.sort()  # as setfacl(1) does
        return _VERSION + b"".join(_ENTRY.pack(tag, permissions, number) for tag, number, permissions in entries)
    if name == _CAPABILITY and (value[3:4], len(value)) == (_REVISION_3, _SIZE_3):
        (number,) = struct.unpack("<I", value[-4:])
        return value[:-4] + struct.pack("<I", map_id(number))
    return value
