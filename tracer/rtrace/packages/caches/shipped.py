"""Files that are byte for byte as their package brought them, by the digests that its manager keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.packages.model import PackageVersion
from rtrace.packages.registry import find_manager

if TYPE_CHECKING:
    from rtrace.manifest.model import Package


def is_as_shipped(path: bytes, content: bytes, package: Package) -> bool:
    """Whether the file ``content`` is what a package brought for a path; no where nobody can tell."""
    manager = find_manager(package.manager)
    if manager is None or manager.is_as_shipped is None:
        return False
    version = PackageVersion(package.manager, package.name, package.version, package.architecture)
    return manager.is_as_shipped(version, path, content)
