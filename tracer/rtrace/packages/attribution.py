"""Which installed package owns which file, whatever package managers there are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Installed(NamedTuple):
    """An installed package. ``name`` is unique among those of its manager.

    ``origin`` says where it came from as far as its manager knows: a source package, an address, a channel.
    """

    name: str
    version: str
    architecture: str
    manager: str
    origin: str = ""


class Attribution(NamedTuple):
    """The owners of paths; ``reasons`` says in a word or two why, of those that no package lists as its own."""

    owners: dict[bytes, Installed]
    reasons: dict[bytes, str]


class PackageManager(Protocol):
    """The database of a package manager."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Give the owners of those of the paths that have one.

        The paths are absolute and resolved, and name no directories. Without this package manager, there are none.
        """


def attribute(
    paths: Collection[bytes], targets: Mapping[bytes, bytes | None] | None = None, root: bytes = b"/"
) -> Attribution:
    """Ask every package manager that rtrace knows: the system's first, then those of languages for the rest.

    ``paths`` are absolute and resolved, seen from ``root``; no directories. ``targets`` are what the symlinks among
    them point to. What no package lists, but a package's program made, compiled or links to, is that package's.
    Modules are imported only where a path could be theirs, which saves most traces a tenth of their finish.
    """
    from rtrace.packages.generated import find_stand_ins

    stand_ins = find_stand_ins(paths, targets or {}, root)
    asked = {path for path in paths if path.startswith(b"/")}
    asked.update(stand_in.path for found in stand_ins.values() for stand_in in found)
    listed = _ask_system(asked, root)
    _ask_languages(asked, listed, root)
    owners, reasons = {}, {}
    for path in paths:
        owner, reason = listed.get(path), ""
        if owner is None:
            owner, reason = next(
                ((listed[one.path], one.reason) for one in stand_ins.get(path, ()) if one.path in listed), (None, "")
            )
        if owner is not None:
            owners[path] = owner
            if reason:
                reasons[path] = reason
    if root == b"/":
        _ask_other_roots([path for path in paths if path not in owners], targets or {}, owners, reasons)
    return Attribution(owners, reasons)


def find_owners(paths: Collection[bytes]) -> dict[bytes, Installed]:
    """Give the owners of those of the paths that have one, on the running system."""
    return attribute(paths).owners


def _ask_system(asked: Collection[bytes], root: bytes) -> dict[bytes, Installed]:
    """Ask the system's own package manager, or those that there are."""
    from rtrace.packages.dpkg import Dpkg

    return Dpkg(root).find_owners(asked)


def _ask_languages(asked: Iterable[bytes], owners: dict[bytes, Installed], root: bytes) -> None:
    """Ask the package managers of languages for what the system's packages do not own."""
    prefix = root.rstrip(b"/")
    rest = {prefix + path: path for path in asked if path not in owners}
    languages: list[PackageManager] = []
    if any(b"-packages/" in path for path in rest):
        from rtrace.packages.python import Python

        languages.append(Python())
    if any(b"/node_modules/" in path or b"library/" in path or b"/gems/" in path for path in rest):
        from rtrace.packages.folders import Folders

        languages.append(Folders())
    if any(b"/bin/" in path or b"/lib64" in path or path.endswith(b"/pyvenv.cfg") for path in rest):
        from rtrace.packages.venv import Venv

        languages.append(Venv())
    for manager in languages:
        unknown = [path for path, inside in rest.items() if inside not in owners]
        owners.update((rest[path], owner) for path, owner in manager.find_owners(unknown).items())


def _ask_other_roots(
    rest: Collection[bytes],
    targets: Mapping[bytes, bytes | None],
    owners: dict[bytes, Installed],
    reasons: dict[bytes, str],
) -> None:
    """Attribute what lies below another root, such as a chroot that a run entered, by the packages of that root."""
    from rtrace.packages.roots import group_by_root

    for root, paths in group_by_root(rest).items():
        inside = {path[len(root) :]: path for path in paths}
        found = attribute(inside, {short: targets[path] for short, path in inside.items() if path in targets}, root)
        place = os.fsdecode(root).encode(errors="backslashreplace").decode()
        for short, owner in found.owners.items():
            owners[inside[short]] = owner._replace(name=f"{owner.name} in {place}")
        reasons.update((inside[short], reason) for short, reason in found.reasons.items())
