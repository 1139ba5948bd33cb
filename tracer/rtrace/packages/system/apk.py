"""Packages of Alpine Linux, from apk's database: one file, a paragraph a package.

See apk-package(5) and the Alpine wiki's "Apk spec": ``P:`` name, ``V:`` version, ``A:`` architecture, ``o:`` origin,
``c:`` commit, then for each folder ``F:`` and below it ``R:`` for each file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.files.reading import read_file
from rtrace.packages.model import Installed, SystemManager
from rtrace.packages.system.aliases import Aliases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_DATABASES = (b"lib/apk/db/installed", b"usr/lib/apk/db/installed")


class Apk:
    """apk's database below a root."""

    def __init__(self, root: bytes = b"/") -> None:
        self._root = root

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that have one; none where there is no apk."""
        content = next(filter(None, (read_file(os.path.join(self._root, name)) for name in _DATABASES)), b"")
        if not content:
            return {}
        names = {name[1:]: asked for name, asked in Aliases(self._root).index(paths).items()}
        owners: dict[bytes, Installed] = {}
        for paragraph in content.split(b"\n\n"):
            mine = [path for name in _list_files(paragraph) if name in names for path in names[name]]
            if mine:
                owners.update(dict.fromkeys(mine, _describe(paragraph)))
        return owners


def _list_files(paragraph: bytes) -> Iterator[bytes]:
    folder = b""
    for line in paragraph.split(b"\n"):
        if line.startswith(b"R:"):
            yield folder + line[2:]
        elif line.startswith(b"F:"):
            folder = line[2:] + b"/" if len(line) > 2 else b""  # noqa: PLR2004 -- the root itself has no name


def _describe(paragraph: bytes) -> Installed:
    lines = paragraph.decode(errors="replace").split("\n")
    fields = {line[0]: line[2:] for line in reversed(lines) if line[1:2] == ":"}
    origin = f"source {fields['o']}" if fields.get("o") else ""
    if fields.get("c"):
        origin = f"{origin}, aports commit {fields['c']}".removeprefix(", ")
    return Installed(fields.get("P", ""), fields.get("V", ""), fields.get("A", "any"), "apk", origin)


APK = SystemManager("apk", tuple(b"/" + name for name in _DATABASES), Apk)
