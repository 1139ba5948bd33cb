"""Extended attributes of files: those that are kept are a file's own, and mean the same on another machine. xattr(7).

Labels of security modules and what a file system keeps for itself (``trusted.``) are a machine's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Attributes = tuple[tuple[bytes, bytes], ...]
    """Names and values, sorted by name."""

CAPABILITY = "security.capability"
ACCESS_LIST = "system.posix_acl_access"
DEFAULT_LIST = "system.posix_acl_default"
USER = "user."
_KEPT = frozenset({CAPABILITY, ACCESS_LIST, DEFAULT_LIST})
_LABELS = "security."
_NONE = ((), ())
_list: Callable[..., list[str]] = getattr(os, "listxattr", lambda *_, **__: [])


def read_attributes(file: bytes | int) -> tuple[Attributes, tuple[str, ...]]:
    """Read what is kept of the attributes of a file, by its path (not followed) or descriptor; name what is not.

    Labels are not even named. A file without any costs one system call.
    """
    try:
        names = _list(file) if isinstance(file, int) else _list(file, follow_symlinks=False)
    except OSError:
        return _NONE
    if not names:
        return _NONE
    kept = []
    lost = []
    for name in sorted(names, key=os.fsencode):
        if name in _KEPT or name.startswith(USER):
            try:
                value = os.getxattr(file, name, follow_symlinks=isinstance(file, int))
            except OSError:
                lost.append(name)
            else:
                kept.append((os.fsencode(name), value))
        elif not name.startswith(_LABELS):
            lost.append(name)
    return tuple(kept), tuple(lost)
