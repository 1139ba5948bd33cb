"""Extended attributes of unpacked files: set where file system and rights allow it, and told of where not."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rtrace.bundle.entry import Entry
from rtrace.printable import printable

ACCESS_LIST = b"system.posix_acl_access"
USER_OBJECT, USER, GROUP_OBJECT, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32  # linux/posix_acl.h
ACL_VERSION = 2  # linux/posix_acl_xattr.h: u32 version, then u16 tag, u16 permissions, u32 id for each entry

Lost = list[tuple[bytes, bytes]]
"""Paths and names of attributes that could not be set."""


class Rule(NamedTuple):
    """An entry of an access control list, acl(5)."""

    tag: int
    permissions: int
    id: int


def set_attributes(file: int | bytes, entry: Entry, lost: Lost) -> None:
    """Set the attributes of an entry at an open file, or at a path that is not followed."""
    for name, value in entry.xattrs:
        try:
            os.setxattr(file, name, value, follow_symlinks=isinstance(file, int))
        except (OSError, AttributeError):  # ENOTSUP, EPERM, ENOSPC; not Linux
            lost.append((entry.path, name))


def tell_lost(lost: Lost) -> tuple[str, ...]:
    """Say which attributes could not be set: a sentence, or none."""
    if not lost:
        return ()
    names = ", ".join(sorted({printable(name) for _, name in lost}))
    paths = sorted({path for path, _ in lost})
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    advice = "unpack as root, on a file system that keeps extended attributes, if the replay needs them"
    return (f"not set, for lack of rights or of support: {names} of {printable(paths[0])}{more}; {advice}",)


def read_rules(entry: Entry) -> Sequence[Rule]:
    """Give the access control list of an entry; none when it has none that can be understood."""
    value = dict(entry.xattrs).get(ACCESS_LIST, b"")
    if len(value) < 4 or len(value) % 8 != 4 or int.from_bytes(value[:4], "little") != ACL_VERSION:  # noqa: PLR2004
        return ()
    return tuple(Rule(*fields) for fields in struct.iter_unpack("<HHI", value[4:]))


def permissions_of(rules: Iterable[Rule], uid: int, gids: frozenset[int], gid: int) -> int:
    """Tell what an access control list lets somebody do who is not the owner; ``gid`` is the file's group."""
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
