"""Prefixes: folders into which something is installed, known by a mark in them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WHEEL_FOLDER = re.compile(rb"/(?:bin|share|etc|include|man)(?=/|\Z)")
"""Where wheels put what is not for a site folder, below their prefix."""


def group_by_folder(paths: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """Return paths by the folder that they lie in: what holds for a folder is found out once for all in it."""
    found: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for path in paths:
        found[path.rpartition(b"/")[0]].append(path)
    return found


def group_by_prefix(paths: Iterable[bytes], mark: bytes) -> dict[bytes, list[bytes]]:
    """Return paths by the innermost folder above them that holds ``mark``; those below none are left out.

    Each folder is looked at once.
    """
    return gather_by_prefix(group_by_folder(paths), mark)


def gather_by_prefix(folders: Mapping[bytes, list[bytes]], mark: bytes) -> dict[bytes, list[bytes]]:
    """Return the same for paths that are already grouped by folder."""
    known: dict[bytes, bytes | None] = {b"": None, b"/": None}

    def find(folder: bytes) -> bytes | None:
        if folder not in known:
            marked = os.path.lexists(folder + b"/" + mark)
            known[folder] = folder if marked else find(folder.rpartition(b"/")[0])
        return known[folder]

    found: dict[bytes, list[bytes]] = {}
    for folder, paths in folders.items():
        prefix = find(folder)
        if prefix is not None:
            found.setdefault(prefix, []).extend(paths)
    return found


def find_wheel_prefixes(folders: Iterable[bytes]) -> set[bytes]:
    """Return the prefixes, with a ``lib`` in them, below which wheels may have put something into some folders."""
    prefixes = {folder[: match.start()] for folder in folders for match in _WHEEL_FOLDER.finditer(folder)}
    return {prefix for prefix in prefixes if os.path.isdir(prefix + b"/lib")}
