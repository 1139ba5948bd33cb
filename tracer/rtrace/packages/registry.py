"""The package managers that rtrace knows, in the order in which they are asked.

A new one is a file and a line here; see `rtrace.packages.model`. Other distributions add theirs by entry points::

    [project.entry-points."rtrace.packages"]
    guix = "rtrace_guix:GUIX"
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rtrace.packages.model import PathManager, SystemManager
from rtrace.plugins import find_plugins, load

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "rtrace.packages"
SYSTEM = {
    "dpkg": "rtrace.packages.system.dpkg:DPKG",
    "rpm": "rtrace.packages.system.rpm:RPM",
    "pacman": "rtrace.packages.system.pacman:PACMAN",
    "apk": "rtrace.packages.system.apk:APK",
}
"""Of systems: they own nearly all files of most runs, and are asked first."""
LANGUAGE = {
    "conda": "rtrace.packages.language.conda:CONDA",
    "hpc": "rtrace.packages.language.hpc:HPC",
    "python": "rtrace.packages.language.python:PYTHON",
    "self-describing": "rtrace.packages.language.self_describing:FOLDERS",
    "venv": "rtrace.packages.language.venv:VENV",
    "interpreters": "rtrace.packages.language.interpreters:INTERPRETERS",
    "binaries": "rtrace.packages.language.binaries:BINARIES",
    "editable": "rtrace.packages.language.editable:EDITABLE",
}
"""Of languages and clusters."""


@lru_cache(maxsize=1)
def list_system_managers() -> tuple[SystemManager, ...]:
    """Return rtrace's own package managers of systems."""
    return tuple(map(load, SYSTEM.values()))


def list_path_managers() -> Iterator[PathManager]:
    """Yield the package managers of languages and clusters, rtrace's own and then others'."""
    yield from map(load, LANGUAGE.values())
    yield from (manager for manager in list_outside_managers() if isinstance(manager, PathManager))


def list_outside_managers() -> Iterator[SystemManager | PathManager]:
    """Yield the package managers that other distributions bring."""
    for address in find_plugins(GROUP).values():
        manager: SystemManager | PathManager = load(address)
        yield manager


def find_manager(name: str) -> SystemManager | PathManager | None:
    """Return the package manager of a name; None where rtrace has none, or no longer."""
    address = {**find_plugins(GROUP), **LANGUAGE, **SYSTEM}.get(name)
    return None if address is None else load(address)
