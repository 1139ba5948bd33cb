"""What access control lists, acl(5), let somebody do who is not a file's owner."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rtrace.bundle.entry import Entry

ACCESS_LIST = b"system.posix_acl_access"
USER_OBJECT, USER, GROUP_OBJECT, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32  # linux/posix_acl.h
ACL_VERSION = 2  # linux/posix_acl_xattr.h: u32 version, then u16 tag, u16 permissions, u32 id for each entry


class AccessRule(NamedTuple):
    """An entry of an access control list, acl(5)."""

    tag: int
    permissions: int
    id: int


def read_rules(entry: Entry) -> Sequence[AccessRule]:
    """Return the access control list of an entry, empty if it has no valid one."""
    value = dict(entry.xattrs).get(ACCESS_LIST, b"")
    if len(value) < 4 or len(value) % 8 != 4 or int.from_bytes(value[:4], "little") != ACL_VERSION:  # noqa: PLR2004
        return ()
    return tuple(AccessRule(*fields) for fields in struct.iter_unpack("<HHI", value[4:]))


def permissions_of(rules: Iterable[AccessRule], uid: int, gids: frozenset[int], gid: int) -> int:
    """Return the permissions that an access control list gives others than the owner; ``gid`` is the file's group."""
    found = list(rules)
    mask = next((rule.permissions for rule in found if rule.tag == MASK), 7)
    for rule in found:
        if rule.tag == USER and rule.id == uid:
            return rule.permissions & mask
    groups = [
        rule.permissions
        for rule in found
        if (rule.tag == GROUP and rule.id in gids) or (rule.tag == GROUP_OBJECT and gid in gids)
    ]
    if groups:
        allowed = 0
        for permissions in groups:
            allowed |= permissions
        return allowed & mask
    return next((rule.permissions for rule in found if rule.tag == OTHER), 0)
