"""The names by which a package may list a path: those that lead there through merged folders."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.files.hierarchy import LINKED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Aliases:
    """The merged folders below a root."""

    def __init__(self, root: bytes) -> None:
        prefix = root.rstrip(b"/")
        self._places: list[tuple[bytes, bytes]] = []
        for folder in LINKED:
            real = os.path.realpath(prefix + folder)
            if real != prefix + folder and real.startswith(prefix + b"/") and os.path.islink(prefix + folder):
                self._places.append((real[len(prefix) :] + b"/", folder + b"/"))

    def find_names(self, path: bytes) -> Iterator[bytes]:
        """Yield the names of a path, its own first."""
        yield path
        for place, name in self._places:
            if path.startswith(place):
                yield name + path[len(place) :]

    def index(self, paths: Iterable[bytes]) -> dict[bytes, list[bytes]]:
        """Return the paths by each of their names."""
        names: dict[bytes, list[bytes]] = {}
        for path in paths:
            for name in self.find_names(path):
                names.setdefault(name, []).append(path)
        return names
