"""Virtual environments of Python: what venv or virtualenv made there, not what was installed into it.

See PEP 405.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.packages.attribution import Installed
from rtrace.packages.prefixes import group_by_prefix
from rtrace.packages.reading import open_at_once

if TYPE_CHECKING:
    from collections.abc import Collection

MARK = b"pyvenv.cfg"
_MADE = re.compile(rb"/(?:pyvenv\.cfg|\.gitignore|CACHEDIR\.TAG|lib64|bin/.+|include/.+|lib/(?:python|pypy)[\d.]+/.+)$")


class Venv:
    """The virtual environments that the paths lie in; each is a package by itself."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Give the owners of those of the paths that lie where a virtual environment keeps its own files."""
        owners: dict[bytes, Installed] = {}
        for prefix, inside in group_by_prefix(paths, MARK).items():
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
