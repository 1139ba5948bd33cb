"""Reasons told by package: of hundreds of files of another version, that it is another version."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.packages.attribution import attribute
from rtrace.packages.caches.shipped import is_as_shipped
from rtrace.staleness.model import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.manifest.model import Package
    from rtrace.packages.model import Installed

_OF_FILES = frozenset({"changed", "gone", "appeared", "touched", "executable"})
_METADATA = re.compile(rb".*/(?P<name>[^/]+?)-[^/-]+\.(?:dist|egg)-info(?:/.*)?\Z", re.DOTALL)
_REPRESENTATIVES = (b"METADATA", b"PKG-INFO", b"DESCRIPTION", b"package.json", b"__init__.py")


def tell_by_package(
    reasons: Mapping[int, list[Reason]], packages: Iterable[Package], then: Mapping[bytes, str]
) -> dict[int, list[Reason]]:
    """Return reasons in which files of a package that is new, or of another version now, are told as that package.

    ``packages`` are those that the runs used; ``then`` are the names of the owners that files had, as far as they are
    known. A file whose content nobody noted is the same if its package, in the same version, says so.
    """
    recorded: dict[tuple[str, str], list[Package]] = {}
    for package in packages:
        recorded.setdefault((package.manager, package.name), []).append(package)
    paths = {one.path for found in reasons.values() for one in found if one.kind in _OF_FILES and one.path is not None}
    owners = find_owners(paths)
    changed = {
        name: f"package {name} {owner.version}, was {' and '.join(sorted({one.version for one in known}))}"
        for owner in owners.values()
        for name in [owner.name]
        for known in [recorded.get((owner.manager, name), [])]
        if known and owner.version not in {one.version for one in known}
    }
    told = {}
    for run, found in reasons.items():
        told[run] = [
            better for reason in found if (better := _tell(reason, owners, recorded, changed, then)) is not None
        ]
    return told


def _tell(
    reason: Reason,
    owners: Mapping[bytes, Installed],
    recorded: Mapping[tuple[str, str], list[Package]],
    changed: Mapping[str, str],
    then: Mapping[bytes, str],
) -> Reason | None:
    """Return a reason as it is told; None for a file that is its package's after all."""
    if reason.kind not in _OF_FILES or reason.path is None:
        return reason
    owner = owners.get(reason.path)
    if owner is None:
        name = then.get(reason.path) or _name_distribution(reason.path, changed)
        if name is not None and name in changed:
            return Reason("package", None, changed[name])
        return reason._replace(detail=f"of the package {name}") if name and reason.kind == "gone" else reason
    if owner.name in changed:
        return Reason("package", None, changed[owner.name])
    known = recorded.get((owner.manager, owner.name))
    if known is None:
        is_new = reason.kind == "appeared"
        return Reason("package", None, f"package {owner.name} {owner.version} is new") if is_new else reason
    if reason.kind == "touched" and any(is_as_shipped(reason.path, reason.path, one) for one in known):
        return None
    return reason


def _name_distribution(path: bytes, known: Mapping[str, str]) -> str | None:
    """Return the package of which a path is metadata by its name, as Python's installers call it."""
    match = _METADATA.match(path)
    if match is None:
        return None
    wanted = _normalise(os.fsdecode(match["name"]))
    return next((name for name in known if _normalise(name) == wanted), None)


def _normalise(name: str) -> str:
    """Write the name of a distribution as PEP 503 does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_owners(paths: Iterable[bytes]) -> dict[bytes, Installed]:
    """Return the packages that own paths which are there now; a folder is whose a file in it is."""
    asked = {}
    targets = {}
    for path in sorted(paths):
        if os.path.islink(path):
            asked[path] = path
            targets[path] = os.readlink(path)
        elif os.path.isdir(path):
            inside = (os.path.join(path, name) for name in _REPRESENTATIVES)
            file = next((one for one in inside if os.path.isfile(one)), None)
            if file is not None:
                asked[file] = path
        elif os.path.lexists(path):
            asked[path] = path
    owners = attribute(asked.keys(), targets).owners if asked else {}
    return {asked[path]: owner for path, owner in owners.items()}
