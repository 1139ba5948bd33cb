"""Virtual environments of Python: what venv or virtualenv made there, not what was installed into it.

See PEP 405.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.files.reading import open_at_once
from rtrace.packages.model import Installed, PathManager
from rtrace.packages.prefixes import gather_by_prefix, group_by_folder

if TYPE_CHECKING:
    from collections.abc import Collection

MARK = b"pyvenv.cfg"
_NAMES = (b"/pyvenv.cfg", b"/.gitignore", b"/CACHEDIR.TAG", b"/lib64")
_FOLDERS = re.compile(rb"/(?:bin|include|lib/(?:python|pypy)[\d.]+)/")
_MADE = re.compile(rb"/(?:pyvenv\.cfg|\.gitignore|CACHEDIR\.TAG|lib64|bin/.+|include/.+|lib/(?:python|pypy)[\d.]+/.+)$")


class Venv:
    """The virtual environments that the paths lie in; each is a package by itself."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that lie where a virtual environment keeps its own files."""
        owners: dict[bytes, Installed] = {}
        possible = {
            folder: members if _FOLDERS.search(folder + b"/") else [path for path in members if path.endswith(_NAMES)]
            for folder, members in group_by_folder(paths).items()
        }
        found = gather_by_prefix({folder: members for folder, members in possible.items() if members}, MARK)
        for prefix, inside in found.items():
            made = [path for path in inside if _MADE.match(path, len(prefix))]
            if made:
                owners.update(dict.fromkeys(made, _describe(prefix)))
        return owners


def _describe(prefix: bytes) -> Installed:
    try:
        with open(os.path.join(prefix, MARK), encoding="utf-8", errors="replace", opener=open_at_once) as file:
            pairs = (line.partition("=") for line in file)
            settings = {name.strip().lower(): value.strip() for name, _, value in pairs}
    except OSError:
        settings = {}
    version = settings.get("version") or ".".join(settings.get("version_info", "").split(".")[:3]) or "unknown"
    name = f"venv in {prefix.decode(errors='backslashreplace')}"
    return Installed(name, version, "any", "python", settings.get("executable") or settings.get("home", ""))


VENV = PathManager(
    "venv", lambda unowned: unowned.mention(b"/bin/", b"/lib64", b"/pyvenv.cfg\0"), lambda _unowned: Venv()
)
