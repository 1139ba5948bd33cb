"""Prefixes: folders into which something is installed as a whole, told by a mark that lies in them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def group_by_prefix(paths: Iterable[bytes], mark: bytes) -> dict[bytes, list[bytes]]:
    """Sort paths by the innermost folder above them that holds ``mark``; those below none are left out.

    Each folder is looked at once.
    """
    known: dict[bytes, bytes | None] = {b"": None, b"/": None}

    def find(folder: bytes) -> bytes | None:
        if folder not in known:
            marked = os.path.lexists(folder + b"/" + mark)
            known[folder] = folder if marked else find(folder.rpartition(b"/")[0])
        return known[folder]

    found: dict[bytes, list[bytes]] = {}
    for path in paths:
        prefix = find(path.rpartition(b"/")[0])
        if prefix is not None:
            found.setdefault(prefix, []).append(path)
    return found
