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
    """Ask every package manager that rtrace knows."""
    from rtrace.packages.dpkg import Dpkg

    managers: tuple[PackageManager, ...] = (Dpkg(),)
    owners: dict[bytes, Installed] = {}
    for manager in managers:
        owners.update(manager.find_owners([path for path in paths if path not in owners]))
    return owners
