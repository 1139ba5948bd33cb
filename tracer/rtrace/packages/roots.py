"""Other roots among the folders of this machine: places below which a system with packages of its own is installed."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.packages.prefixes import group_by_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

DATABASES = (
    (b"/var/lib/dpkg/status", "dpkg"),
    *(
        (folder + name, "rpm")
        for folder in (b"/usr/lib/sysimage/rpm", b"/var/lib/rpm")
        for name in (b"/rpmdb.sqlite", b"/Packages.db", b"/Packages")
    ),
    (b"/var/lib/pacman/local", "pacman"),
    (b"/lib/apk/db/installed", "apk"),
    (b"/usr/lib/apk/db/installed", "apk"),
)
"""Where package managers keep what they know, below a root."""
_TOPS = frozenset(b"bin etc home lib lib32 lib64 opt root run sbin srv tmp usr var".split())
_TOP = re.compile(rb"/(?=(?:%b)(?:/|\Z))" % b"|".join(_TOPS))
"""Where in a path a root may end."""


def group_by_root(paths: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """Sort paths by the other root below which they lie, the innermost one; those below none are left out."""
    known: dict[bytes, bool] = {b"": False}

    def is_root(place: bytes) -> bool:
        if place not in known:
            known[place] = any(os.path.exists(place + database) for database, _ in DATABASES)
        return known[place]

    found: dict[bytes, list[bytes]] = {}
    for folder, members in group_by_folder(paths).items():
        places = [folder[: match.start()] for match in _TOP.finditer(folder)]
        root = next(filter(is_root, reversed(places)), None)
        for path in members:
            if path[len(folder) + 1 :] in _TOPS and is_root(folder):
                found.setdefault(folder, []).append(path)
            elif root is not None:
                found.setdefault(root, []).append(path)
    return found
