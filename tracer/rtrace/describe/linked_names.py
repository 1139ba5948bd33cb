"""The symlinks by which a person knows files that lie where nobody looks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.trace.reading.reader import After, Before

_MOST_LINKS = 40
"""Symlinks that the kernel follows in one path, see path_resolution(7)."""


def find_links(world: Iterable[Before], left: Iterable[After]) -> dict[bytes, bytes]:
    """Return which symlink leads to a path: of those that runs used or left, the first by path; chains are followed."""
    targets: dict[bytes, bytes] = {}
    used: set[bytes] = set()
    for before in world:
        if before.target is not None:
            targets[before.path] = before.target
            if before.use:
                used.add(before.path)
    for after in left:
        if after.target is not None:
            targets[after.path] = after.target
            used.add(after.path)
    links: dict[bytes, bytes] = {}
    for link in sorted(used):
        path = link
        for _ in range(_MOST_LINKS):
            if path not in targets:
                links.setdefault(path, link)
                break
            path = os.path.normpath(os.path.join(os.path.dirname(path), targets[path]))
    return links


def follow_back(path: bytes, links: Mapping[bytes, bytes]) -> bytes:
    """Return the path by way of a symlink to a file, or to the innermost folder above it, or the path itself."""
    place, rest = path, b""
    while place not in links and len(place) > 1:
        place, _, name = place.rpartition(b"/")
        rest = b"/" + name + rest
    return links[place] + rest if place in links else path
