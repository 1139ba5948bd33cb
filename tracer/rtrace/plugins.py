"""What other distributions add to rtrace: package managers, formats, comparators. Each is an entry point of a group.

What rtrace brings itself is in tables of ``module:attribute``, so that a bare checkout has it, too. Others' is found by
looking for the group's name into each ``entry_points.txt`` of `sys.path`: nearly always there is none, and then
`importlib.metadata`, which takes 15 ms to import, stays out of it.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib import import_module
from typing import Any

from rtrace.debugging import debug

_ENDINGS = (".dist-info", ".egg-info")


def load(address: str) -> Any:  # noqa: ANN401 -- what it is, the caller knows
    """Import what a ``module:attribute`` names. Raises ImportError or AttributeError where there is no such thing."""
    module, _, attribute = address.partition(":")
    return getattr(import_module(module), attribute)


def find_plugins(group: str) -> dict[str, str]:
    """Return what other distributions offer under a group: addresses for `load` by name, sorted."""
    return _find_plugins(group, tuple(sys.path))


@lru_cache(maxsize=8)
def _find_plugins(group: str, folders: tuple[str, ...]) -> dict[str, str]:
    if not any(_offers(folder, f"[{group}]".encode()) for folder in dict.fromkeys(folders)):
        return {}
    from importlib.metadata import entry_points

    found = {point.name: point.value for point in sorted(entry_points(group=group), key=lambda point: point.name)}
    debug(__name__, "%s: %s", group, found)
    return found


def _offers(folder: str, header: bytes) -> bool:
    """Whether a distribution in a folder has a section in its entry points."""
    try:
        names = os.listdir(folder or ".")
    except OSError:  # ENOENT, ENOTDIR: an entry of sys.path that is no folder has no distributions that can be listed
        return False
    for name in names:
        if name.endswith(_ENDINGS):
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:
                    if header in file.read():
                        return True
            except OSError:  # ENOENT: it has no entry points
                continue
    return False
