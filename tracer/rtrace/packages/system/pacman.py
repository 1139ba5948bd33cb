"""Packages of Arch Linux, from pacman's local database: a folder each, with the files ``desc`` and ``files``.

See pacman(8) and libalpm's be_local.c for the sections of these files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.files.reading import read_file
from rtrace.packages.model import ArchiveCache, Installed, PackageVersion, SystemManager
from rtrace.packages.system.aliases import Aliases

if TYPE_CHECKING:
    from collections.abc import Collection


class Pacman:
    """pacman's database below a root."""

    def __init__(self, root: bytes = b"/") -> None:
        self._root = root
        self._database = os.path.join(root, b"var/lib/pacman/local")

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that have one; none where there is no pacman."""
        try:
            folders = sorted(os.listdir(self._database))
        except OSError:
            return {}
        names = {name[1:]: asked for name, asked in Aliases(self._root).index(paths).items()}
        owners: dict[bytes, Installed] = {}
        for folder in folders:
            content = read_file(os.path.join(self._database, folder, b"files"))
            mine = names.keys() & content.partition(b"%FILES%\n")[2].partition(b"\n\n")[0].split(b"\n")
            if mine:
                owner = _describe(read_file(os.path.join(self._database, folder, b"desc")))
                if owner is not None:
                    owners.update((path, owner) for name in mine for path in names[name])
        return owners


def _describe(content: bytes) -> Installed | None:
    sections = (section.strip("\n").partition("\n") for section in content.decode(errors="replace").split("\n\n"))
    fields = {name: value for name, _, value in sections}
    if "%NAME%" not in fields:
        return None
    base, packager = fields.get("%BASE%", ""), fields.get("%PACKAGER%", "")
    origin = ", ".join(
        (*([f"source {base}"] if base not in {"", fields["%NAME%"]} else []), *([packager] if packager else []))
    )
    return Installed(fields["%NAME%"], fields.get("%VERSION%", ""), fields.get("%ARCH%", "any"), "pacman", origin)


def _name_archive(package: PackageVersion) -> str:
    return f"{package.name}-{package.version}-{package.architecture}.pkg.tar"


PACMAN = SystemManager(
    "pacman",
    (b"/var/lib/pacman/local",),
    Pacman,
    ArchiveCache(
        ("/var/cache/pacman/pkg",),
        _name_archive,
        ("bsdtar", "-cf", "-", "@{archive}"),
        endings=(".zst", ".xz", ".gz", ""),
    ),
)
