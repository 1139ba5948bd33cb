"""The packages of a bundle of ReproZip, whose manager is known by the distribution alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.manifest.model import Package

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.bundle.entry import Entry
    from rtrace.reprozip.reading.config import Config

_MANAGERS = {
    "dpkg": ("debian", "ubuntu"),
    "rpm": ("centos", "fedora", "scientific", "red hat", "rhel", "rocky", "alma", "opensuse", "suse"),
}


def list_packages(config: Config, entries: Iterable[Entry]) -> tuple[Package, ...]:
    """Return the packages of a configuration, with the sizes of their packed files added up."""
    sizes: dict[str, int] = {}
    for entry in entries:
        if entry.package is not None:
            sizes[entry.package] = sizes.get(entry.package, 0) + entry.size
    manager = find_manager(config.runs[0].distribution[0])
    return tuple(
        Package(one.name, one.version, "", manager, len(one.files), sizes.get(one.name, 0), one.packed)
        for one in config.packages
    )


def find_manager(distribution: str) -> str:
    """Return the package manager of a distribution, as its name tells."""
    for manager, names in _MANAGERS.items():
        if distribution.lower().startswith(names):
            return manager
    return "unknown"
