"""Other roots among the folders of this machine: places below which a system with packages of its own is installed."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.files.hierarchy import TOPS
from rtrace.packages.prefixes import group_by_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TOP = re.compile(rb"/(?=(?:%b)(?:/|\Z))" % b"|".join(sorted(TOPS)))
"""Where in a path a root may end."""


def group_by_root(paths: Iterable[bytes], databases: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """Return paths by the other root below which they lie, the innermost one; those below none are left out.

    A root has one of the ``databases`` of package managers, which are named as seen from there.
    """
    known: dict[bytes, bool] = {b"": False}

    def is_root(place: bytes) -> bool:
        if place not in known:
            known[place] = any(os.path.exists(place + database) for database in databases)
        return known[place]

    found: dict[bytes, list[bytes]] = {}
    for folder, members in group_by_folder(paths).items():
        places = [folder[: match.start()] for match in _TOP.finditer(folder)]
        root = next(filter(is_root, reversed(places)), None)
        for path in members:
            if path[len(folder) + 1 :] in TOPS and is_root(folder):
                found.setdefault(folder, []).append(path)
            elif root is not None:
                found.setdefault(root, []).append(path)
    return found
