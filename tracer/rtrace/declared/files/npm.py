"""npm: package.json, and package-lock.json of all versions, as npm's documentation has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.declared.files.values import mapping, read_json, text
from rtrace.declared.model import DEV, LOCK, MAIN, Declared

if TYPE_CHECKING:
    from rtrace.declared.model import Declarations, Folder

_GROUPS = {
    "dependencies": MAIN,
    "devDependencies": DEV,
    "optionalDependencies": "extra optional",
    "peerDependencies": "extra peer",
}
_MODULES = "node_modules/"
_DEEPEST = 100


def read_package(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what a package.json declares. Raises ValueError."""
    document = read_json(data)
    for field, group in _GROUPS.items():
        for package, wanted in mapping(document.get(field)).items():
            into.items.append(Declared("npm", package, text(wanted), name, group))


def read_lock(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what a package-lock.json fixes, and what needs what. Raises ValueError."""
    document = read_json(data)
    packages = mapping(document.get("packages"))
    for place, found in packages.items():
        package = mapping(found)
        title = text(package.get("name")) or place.rpartition(_MODULES)[2]
        if place.startswith(_MODULES) and package.get("link") is not True:
            _add(name, title, package, into)
        for field in ("dependencies", "optionalDependencies", "peerDependencies"):
            for other in mapping(package.get(field)) if place else ():
                into.require(("npm", title), ("npm", other))
    if not packages:  # version 1, of npm before 7
        _read_tree(name, mapping(document.get("dependencies")), into, 0)


def _read_tree(name: str, tree: dict[str, object], into: Declarations, depth: int) -> None:
    for title, found in tree.items() if depth < _DEEPEST else ():
        package = mapping(found)
        _add(name, title, package, into)
        for other in mapping(package.get("requires")):
            into.require(("npm", title), ("npm", other))
        _read_tree(name, mapping(package.get("dependencies")), into, depth + 1)


def _add(name: str, title: str, package: dict[str, object], into: Declarations) -> None:
    version = text(package.get("version"))
    if title and version:
        into.items.append(Declared("npm", title, version, name, LOCK))
