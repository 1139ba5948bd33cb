"""R: DESCRIPTION of a package or project, and renv.lock.

https://cran.r-project.org/doc/manuals/R-exts.html and https://rstudio.github.io/renv/reference/lockfile.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.declared.files.values import decode, mapping, read_json, text, texts
from rtrace.declared.model import DEV, LOCK, MAIN, Declared

if TYPE_CHECKING:
    from rtrace.declared.model import Declarations, Folder

_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9@/-]*):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_PACKAGE = re.compile(r"([A-Za-z][A-Za-z0-9.]*)\s*(?:\(([^)]*)\))?")
_GROUPS = {"Depends": MAIN, "Imports": MAIN, "LinkingTo": DEV, "Suggests": DEV, "Enhances": DEV}


def read_description(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what a DESCRIPTION declares; what it suggests, a run may do without."""
    for field, group in _GROUPS.items():
        for package, constraint in list_needed(decode(data), (field,)):
            into.items.append(Declared("R", package, constraint, name, group))


def list_needed(
    description: str, fields: tuple[str, ...] = ("Depends", "Imports", "LinkingTo")
) -> list[tuple[str, str]]:
    """Return the packages that fields of a DESCRIPTION name, with what is asked of their versions; R itself apart."""
    found = []
    for match in _FIELD.finditer(description.replace("\r", "")):
        if match[1] not in fields:
            continue
        for part in match[2].split(","):
            package = _PACKAGE.fullmatch(part.strip())
            if package is not None and package[1] != "R":
                found.append((package[1], (package[2] or "").strip()))
    return found


def read_renv(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what a renv.lock fixes. Raises ValueError."""
    for package in map(mapping, mapping(read_json(data).get("Packages")).values()):
        title, version = text(package.get("Package")), text(package.get("Version"))
        if title and version:
            into.items.append(Declared("R", title, f"== {version}", name, LOCK))
        for field in ("Requirements", "Depends", "Imports", "LinkingTo"):
            for line in texts(package.get(field)):
                needed = _PACKAGE.match(line)
                if needed is not None and needed[1] != "R":
                    into.require(("R", title), ("R", needed[1]))
