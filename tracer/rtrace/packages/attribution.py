"""Which installed package owns which file, whatever package managers there are."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rtrace.packages.reading import open_at_once

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

EDITABLE = "editable"
"""The reason why a distribution owns the sources in the folder where it is developed."""
_SYSTEM = (
    b"/etc/",
    b"/bin/",
    b"/lib",
    b"/sbin/",
    b"/run/",
    b"/usr/bin/",
    b"/usr/sbin/",
    b"/usr/lib/locale/",
    b"/usr/share/",
)
"""Where nothing lies that is installed by the tools of a language, or of a cluster."""
_FOLDERS = re.compile(rb"/node_modules/|library/|/gems/|/extensions/|/bin/[^/]*$|\.gem(?:spec)?$")


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
    paths: Collection[bytes],
    targets: Mapping[bytes, bytes | None] | None = None,
    root: bytes = b"/",
    modules: Collection[bytes] = (),
) -> Attribution:
    """Ask every package manager that rtrace knows: the system's first, then those of languages for the rest.

    ``paths`` are absolute and resolved, seen from ``root``; no directories. ``targets`` are what the symlinks among
    them point to, ``modules`` the environment modules that were loaded (``name/version``). What no package lists, but a
    package's program made, compiled or links to, is that package's. Modules are imported only where a path could be
    theirs, which saves most traces a tenth of their finish.
    """
    from rtrace.packages.generated import find_stand_ins

    stand_ins = find_stand_ins(paths, targets or {}, root)
    asked = {path for path in paths if path.startswith(b"/")}
    asked.update(stand_in.path for found in stand_ins.values() for stand_in in found)
    listed = _ask_system(asked, root)
    _ask_languages(asked, listed, root, modules)
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
    if any(b"-packages/" in path for path in paths):
        _find_editable([path for path in paths if path not in owners], paths, owners, reasons)
    if root == b"/":
        _ask_other_roots([path for path in paths if path not in owners], targets or {}, owners, reasons)
    return Attribution(owners, reasons)


def _find_editable(
    rest: Collection[bytes],
    paths: Collection[bytes],
    owners: dict[bytes, Installed],
    reasons: dict[bytes, str],
) -> None:
    """Attribute sources of distributions that are used where they are developed."""
    from rtrace.packages.python import find_editable

    found = find_editable(rest, [path for path in paths if b"-packages/" in path])
    owners.update(found)
    reasons.update(dict.fromkeys(found, EDITABLE))


def find_owners(paths: Collection[bytes]) -> dict[bytes, Installed]:
    """Give the owners of those of the paths that have one, on the running system."""
    return attribute(paths).owners


def _ask_system(asked: Collection[bytes], root: bytes) -> dict[bytes, Installed]:
    """Ask the system's own package manager, or those that there are."""
    owners: dict[bytes, Installed] = {}
    for manager in find_databases(root):
        owners.update(manager.find_owners([path for path in asked if path not in owners]))
    return owners


def find_databases(root: bytes) -> Iterator[PackageManager]:
    """Give the package managers that have a database below a root."""
    from rtrace.packages.roots import DATABASES

    place = root.rstrip(b"/")
    for name in dict.fromkeys(name for database, name in DATABASES if os.path.exists(place + database)):
        match name:
            case "dpkg":
                from rtrace.packages.dpkg import Dpkg

                yield Dpkg(root)
            case "rpm":
                from rtrace.packages.rpm import Rpm

                yield Rpm(root)
            case "pacman":
                from rtrace.packages.pacman import Pacman

                yield Pacman(root)
            case _:
                from rtrace.packages.apk import Apk

                yield Apk(root)


def _ask_languages(
    asked: Iterable[bytes], owners: dict[bytes, Installed], root: bytes, modules: Collection[bytes]
) -> None:
    """Ask the package managers of languages and of clusters for what the system's packages do not own."""
    prefix = root.rstrip(b"/")
    rest = {prefix + path: path for path in asked if path not in owners}
    for manager in find_languages(rest, modules):
        unknown = [path for path, inside in rest.items() if inside not in owners]
        owners.update((rest[path], owner) for path, owner in manager.find_owners(unknown).items())


def find_languages(rest: Collection[bytes], modules: Collection[bytes]) -> Iterator[PackageManager]:
    """Give the package managers of languages and clusters of which something could be among the paths."""
    from rtrace.packages.prefixes import group_by_prefix

    elsewhere = [path for path in rest if not path.startswith(_SYSTEM)]
    if group_by_prefix(elsewhere, b"conda-meta"):
        from rtrace.packages.conda import Conda

        yield Conda()
    if modules or any(group_by_prefix(elsewhere, mark) for mark in (b".spack", b"easybuild")):
        from rtrace.packages.hpc import Hpc

        yield Hpc(modules)
    if any(b"-packages/" in path for path in rest):
        from rtrace.packages.python import Python

        yield Python()
    if any(map(_FOLDERS.search, elsewhere)):
        from rtrace.packages.folders import Folders

        yield Folders()
    if any(b"/bin/" in path or b"/lib64" in path or path.endswith(b"/pyvenv.cfg") for path in elsewhere):
        from rtrace.packages.venv import Venv

        yield Venv()
    if any(b"/lib/python" in path for path in elsewhere):
        from rtrace.packages.interpreters import Interpreters

        yield Interpreters()
    if any(is_program(path) for path in elsewhere):
        from rtrace.packages.binaries import Binaries

        yield Binaries()


def is_program(path: bytes) -> bool:
    """Tell whether a path, whose name has no ending, leads to an executable ELF file."""
    if b"." in path.rpartition(b"/")[2] or not os.access(path, os.X_OK):
        return False
    try:
        with open(path, "rb", opener=open_at_once) as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


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
