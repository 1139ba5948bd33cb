"""Which installed package owns which file, whatever package managers there are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.packages.model import Attribution
from rtrace.packages.prefixes import find_wheel_prefixes
from rtrace.packages.programs import is_program

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping

    from rtrace.packages.model import Installed, PackageManager

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
_FOLDERS = (
    b"/node_modules/",
    b"library/",
    b"/gems/",
    b"/extensions/",
    b".gem\0",
    b".gemspec\0",
    b"/Meta/package.rds\0",
)


def attribute(
    paths: Collection[bytes],
    targets: Mapping[bytes, bytes | None] | None = None,
    root: bytes = b"/",
    modules: Collection[bytes] = (),
    executable: Container[bytes] | None = None,
) -> Attribution:
    """Ask every package manager that rtrace knows: the system's first, then those of languages for the rest.

    ``paths`` are absolute and resolved, seen from ``root``; no directories. ``targets`` are what the symlinks among
    them point to, ``modules`` the environment modules that were loaded (``name/version``), ``executable`` those that
    may be programs (None: that is not known). What no package lists, but a package's program made, compiled or links
    to, is that package's. Modules are imported only where a path could be theirs, which saves most traces a tenth of
    their finish.
    """
    from rtrace.packages.generated import find_stand_ins

    stand_ins = find_stand_ins(paths, targets or {}, root)
    # In the order of the paths, so that what lies in a folder is together in memory, which it is not in a set.
    asked = dict.fromkeys(path for path in paths if path.startswith(b"/"))
    apart = {stand_in.path for found in stand_ins.values() for stand_in in found} - asked.keys()
    asked.update(dict.fromkeys(sorted(apart)))
    listed = _ask_system(asked, root)
    programs = [path for path in asked if executable is None or path in executable or path in apart]
    _ask_languages(asked, programs, listed, root, modules)
    owners = {path: listed[path] for path in paths if path in listed}
    reasons = {}
    for path, found in stand_ins.items():
        known = next((stand_in for stand_in in found if stand_in.path in listed), None)
        if known is not None and path not in owners:
            owners[path] = listed[known.path]
            reasons[path] = known.reason
    if any(b"-packages/" in path for path in paths):
        _find_editable([path for path in paths if path not in owners], paths, owners, reasons)
    if root == b"/":
        _ask_other_roots([path for path in paths if path not in owners], targets or {}, executable, owners, reasons)
    return Attribution(owners, reasons)


def _find_editable(
    rest: Collection[bytes],
    paths: Collection[bytes],
    owners: dict[bytes, Installed],
    reasons: dict[bytes, str],
) -> None:
    """Attribute sources of distributions that are used where they are developed."""
    from rtrace.packages.language.python import find_editable

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
                from rtrace.packages.system.dpkg import Dpkg

                yield Dpkg(root)
            case "rpm":
                from rtrace.packages.system.rpm import Rpm

                yield Rpm(root)
            case "pacman":
                from rtrace.packages.system.pacman import Pacman

                yield Pacman(root)
            case _:
                from rtrace.packages.system.apk import Apk

                yield Apk(root)


def _ask_languages(
    asked: Iterable[bytes],
    programs: Iterable[bytes],
    owners: dict[bytes, Installed],
    root: bytes,
    modules: Collection[bytes],
) -> None:
    """Ask the package managers of languages and of clusters for what the system's packages do not own."""
    prefix = root.rstrip(b"/")
    rest = {prefix + path: path for path in asked if path not in owners}
    unknown = [prefix + path for path in programs if path not in owners]
    for manager in find_languages(rest, unknown, modules):
        for path, owner in manager.find_owners(rest).items():
            owners[rest.pop(path)] = owner


def find_languages(
    rest: Collection[bytes], programs: Iterable[bytes], modules: Collection[bytes]
) -> Iterator[PackageManager]:
    """Give the package managers of languages and clusters of which something could be among the paths."""
    from rtrace.packages.prefixes import find_marks, group_by_folder

    elsewhere = [path for path in rest if not path.startswith(_SYSTEM)]
    folders = group_by_folder(elsewhere)
    text = b"\0".join([*elsewhere, b""])  # a look into all paths at once takes a hundredth of the time
    has_distributions = any(b"-packages/" in path for path in rest) or bool(find_wheel_prefixes(folders))
    marks = find_marks(folders, (b"conda-meta", b".spack", b"easybuild"))
    if b"conda-meta" in marks:
        from rtrace.packages.language.conda import Conda

        yield Conda()
    if modules or b".spack" in marks or b"easybuild" in marks:
        from rtrace.packages.language.hpc import Hpc

        yield Hpc(modules)
    if has_distributions:
        from rtrace.packages.language.python import Python

        yield Python()
    if any(mark in text for mark in _FOLDERS) or any(folder.endswith(b"/bin") for folder in folders):
        from rtrace.packages.language.self_describing import Folders

        yield Folders()
    if any(mark in text for mark in (b"/bin/", b"/lib64", b"/pyvenv.cfg\0")):
        from rtrace.packages.language.venv import Venv

        yield Venv()
    if b"/lib/python" in text:
        from rtrace.packages.language.interpreters import Interpreters

        yield Interpreters()
    named = [path for path in programs if b"." not in path.rpartition(b"/")[2]]
    if any(is_program(path) for path in named if not path.startswith(_SYSTEM)):
        from rtrace.packages.language.binaries import Binaries

        yield Binaries(named)


def _ask_other_roots(
    rest: Collection[bytes],
    targets: Mapping[bytes, bytes | None],
    executable: Container[bytes] | None,
    owners: dict[bytes, Installed],
    reasons: dict[bytes, str],
) -> None:
    """Attribute what lies below another root, such as a chroot that a run entered, by the packages of that root."""
    from rtrace.packages.roots import group_by_root

    for root, paths in group_by_root(rest).items():
        inside = {path[len(root) :]: path for path in paths}
        found = attribute(
            inside,
            {short: targets[path] for short, path in inside.items() if path in targets},
            root,
            executable=None if executable is None else {short for short in inside if inside[short] in executable},
        )
        place = os.fsdecode(root).encode(errors="backslashreplace").decode()
        for short, owner in found.owners.items():
            owners[inside[short]] = owner._replace(name=f"{owner.name} in {place}")
        reasons.update((inside[short], reason) for short, reason in found.reasons.items())
