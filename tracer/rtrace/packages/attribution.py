"""Which installed package owns which file, whatever package managers there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection


class Installed(NamedTuple):
    """An installed package. ``name`` is unique among those of its manager."""

    name: str
    version: str
    architecture: str
    manager: str


class PackageManager(Protocol):
    """The database of a package manager."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Give the owners of those of the paths that have one.

        The paths are absolute and resolved, and name no directories. Without this package manager, there are none.
        """


def find_owners(paths: Collection[bytes]) -> dict[bytes, Installed]:
    """Ask every package manager that rtrace knows: the distribution's first, then those of languages for the rest.

    These are imported only where a path could be theirs, which saves most traces a tenth of their finish.
    """
    from rtrace.packages.dpkg import Dpkg

    owners = Dpkg().find_owners(paths)
    rest = [path for path in paths if path not in owners and path.startswith(b"/")]
    languages: list[PackageManager] = []
    if any(b"-packages/" in path for path in rest):
        from rtrace.packages.python import Python

        languages.append(Python())
    if any(b"/node_modules/" in path or b"library/" in path or b"/gems/" in path for path in rest):
        from rtrace.packages.folders import Folders

        languages.append(Folders())
    for manager in languages:
        owners.update(manager.find_owners([path for path in rest if path not in owners]))
    return owners
