"""Set the extended attributes of unpacked files where file system and rights allow it, and tell where not."""

from __future__ import annotations

import os

from rtrace.bundle.entry import Entry
from rtrace.printable import printable

Lost = list[tuple[bytes, bytes]]
"""Paths and names of attributes that could not be set."""


def set_xattrs(file: int | bytes, entry: Entry, lost: Lost) -> None:
    """Set the attributes of an entry at an open file, or at a path that is not followed."""
    for name, value in entry.xattrs:
        try:
            os.setxattr(file, name, value, follow_symlinks=isinstance(file, int))
        except (OSError, AttributeError):  # ENOTSUP, EPERM, ENOSPC; not Linux
            lost.append((entry.path, name))


def tell_lost(lost: Lost) -> tuple[str, ...]:
    """Return a sentence on the attributes that could not be set, if there are any."""
    if not lost:
        return ()
    names = ", ".join(sorted({printable(name) for _, name in lost}))
    paths = sorted({path for path, _ in lost})
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    advice = "unpack as root, on a file system that keeps extended attributes, if the replay needs them"
    return (f"not set, for lack of rights or of support: {names} of {printable(paths[0])}{more}; {advice}",)
