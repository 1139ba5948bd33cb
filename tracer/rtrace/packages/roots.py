"""Other roots among the folders of this machine: places below which a system with packages of its own is installed."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

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
_TOP = re.compile(rb"/(?=(?:bin|etc|home|lib|lib32|lib64|opt|root|run|sbin|srv|tmp|usr|var)(?:/|$))")
"""Where in a path a root may end."""


def group_by_root(paths: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """Sort paths by the other root below which they lie, the innermost one; those below none are left out."""
    known: dict[bytes, bool] = {b"": False}
    found: dict[bytes, list[bytes]] = {}
    for path in paths:
        for match in reversed(list(_TOP.finditer(path))):
            place = path[: match.start()]
            if place not in known:
                known[place] = any(os.path.exists(place + database) for database, _ in DATABASES)
            if known[place]:
                found.setdefault(place, []).append(path)
                break
    return found
