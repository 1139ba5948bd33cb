"""Pythons that no package manager has installed: built from source, as pyenv and images of Docker do.

Their prefix holds the standard library; its version is in ``patchlevel.h``, which every installation has.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.packages.model import Installed, PathManager

if TYPE_CHECKING:
    from collections.abc import Collection

_PARTS = re.compile(
    rb"(.*?)/(?:lib/(?:pkgconfig/)?(?:lib)?(python\d[\d.]*\d)|include/(python\d[\d.]*\d)"
    rb"|bin/(?:(python\d[\d.]*\d)|pip[\d.]*|pydoc[\d.]*|idle[\d.]*|2to3[-\d.]*|python\d?|python[\d.]*-config)$)"
)
_VERSION = re.compile(rb'^#define\s+PY_VERSION\s+"([^"]+)"', re.MULTILINE)
_LIBRARY = re.compile(rb"python\d+\.\d+")


class Interpreters:
    """The prefixes of Python that the paths lie in; each is a package by itself."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that belong to a Python itself."""
        known: dict[bytes, Installed | None] = {}
        owners: dict[bytes, Installed] = {}
        for path in paths:
            if not (b"/bin/" in path or b"python" in path) or b"-packages/" in path:
                continue
            match = _PARTS.match(path)
            if match is None:
                continue
            if match[1] not in known:
                known[match[1]] = _describe(match[1])
            owner = known[match[1]]
            if owner is not None:
                owners[path] = owner
        return owners


def _describe(prefix: bytes) -> Installed | None:
    """Describe the Python of a prefix; None where there is none, or several."""
    try:
        names = [name for name in os.listdir(prefix + b"/lib") if _LIBRARY.fullmatch(name)]
    except OSError:
        return None
    found = [name for name in names if os.path.isfile(prefix + b"/lib/" + name + b"/os.py")]
    if len(found) != 1:
        return None
    version = found[0].removeprefix(b"python")
    try:
        with open(prefix + b"/include/" + found[0] + b"/patchlevel.h", "rb") as file:
            match = _VERSION.search(file.read())
            version = match[1] if match else version
    except OSError:
        pass  # the version of the folder has to do
    name = f"python in {prefix.decode(errors='backslashreplace')}"
    return Installed(name, version.decode(errors="replace"), "any", "prefix")


INTERPRETERS = PathManager(
    "interpreters", lambda unowned: unowned.mention(b"/lib/python"), lambda _unowned: Interpreters()
)
