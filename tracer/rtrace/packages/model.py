"""What is known of an installed package, and what a package manager is.

A package manager is one file, and one line in `rtrace.packages.registry`; one that another distribution brings is an
entry point of the group ``rtrace.packages``. Its file holds

- a `PackageDatabase`, which says which package owns which path, and
- a `SystemManager` or a `PathManager`, which says when to ask it. That one is imported wherever a run used a file that
  no system's package owns: import what is large only in functions.

`rtrace.packages.system.apk` and `rtrace.packages.language.conda` are short examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from rtrace.packages.unowned import Unowned


EDITABLE = "editable"
"""The reason why a distribution owns the sources in the folder where it is developed."""


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


class PackageVersion(NamedTuple):
    """A package in a version, installed or not."""

    manager: str
    name: str
    version: str
    architecture: str


class PackageDatabase(Protocol):
    """What a package manager knows of the packages that it has installed."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that have one.

        The paths are absolute and resolved, and name no directories. Where the package manager is not installed,
        nothing has an owner.
        """


@dataclass(frozen=True)
class ArchiveCache:
    """Where a package manager keeps the archives of packages, and how to read them.

    ``folders`` have the usual one first; in `nested` ones archives lie in folders below. ``name_archive`` names the
    archive of a package, without its ending, which is one of ``endings``. ``command``, with the archive in the place
    of ``{archive}``, writes its content to standard output as ``content``: ``tar`` or ``cpio``.
    """

    folders: tuple[str, ...]
    name_archive: Callable[[PackageVersion], str]
    command: tuple[str, ...]
    endings: tuple[str, ...] = ("",)
    content: str = "tar"
    nested: bool = False


@dataclass(frozen=True)
class SystemManager:
    """A package manager with one database for a whole system: dpkg, rpm.

    ``databases`` are the files or folders, any of which shows that it is there, below a root. ``open_database`` takes
    that root, and its paths are seen from there. ``is_as_shipped`` says whether a package brought, for a path, what a
    file holds now; ``may_hold`` whether a package's archive may hold a path, where more is known than its owner.
    """

    name: str
    databases: tuple[bytes, ...]
    open_database: Callable[[bytes], PackageDatabase]
    archives: ArchiveCache | None = None
    is_as_shipped: Callable[[PackageVersion, bytes, bytes], bool] | None = None
    may_hold: Callable[[PackageVersion, bytes], bool | None] | None = None


@dataclass(frozen=True)
class PathManager:
    """A package manager that is found by the paths of its files: those of languages and of clusters.

    ``may_own`` says whether it could own one of the paths that the system's packages do not own; it should take
    microseconds for each. ``open_database`` opens what it knows; its paths are those of this machine. ``reason`` is for
    packages that own what they do not list: such a manager is asked last.
    """

    name: str
    may_own: Callable[[Unowned], bool]
    open_database: Callable[[Unowned], PackageDatabase]
    reason: str = ""
    archives: ArchiveCache | None = None
    is_as_shipped: Callable[[PackageVersion, bytes, bytes], bool] | None = None
