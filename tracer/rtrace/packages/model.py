"""What is known of an installed package, and what a package manager answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection


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
