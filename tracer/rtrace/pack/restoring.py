"""Restore files that were changed after the trace, as the run found them, from the archives of their packages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.bundle.writing.bundle_writer import Written
from rtrace.files.stamps import keep_time
from rtrace.files.xattrs import read_attributes
from rtrace.packages.caches.archives import find_cache, list_cached_managers, name_archive
from rtrace.packages.caches.originals import Originals, Wanted, may_hold
from rtrace.packages.model import PackageVersion
from rtrace.packages.registry import find_manager

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.pack.plan import PackingPlan


class Restorer:
    """Knows the packages of a trace in the versions that the run found, and those that are installed now."""

    def __init__(self, plan: PackingPlan, folder: Path) -> None:
        """Extract into a folder of its own."""
        self._plan = plan
        self._originals = Originals(folder)
        self._traced = {
            package.name: PackageVersion(package.manager, package.name, package.version, package.architecture)
            for manager in reversed(list_cached_managers())  # of two packages with one name dpkg's is the likely one
            for package in plan.manifest.packages
            if package.manager == manager
        }

    def restore(self, item: Item, written: Written) -> Item | None:
        """Return an item with the content that the run found; None if no archive has it.

        A file that was only touched is good as it is if it has the MD5 that its package lists.
        """
        entry = item.entry
        if item.source != entry.path:
            return None
        owner = self._plan.owners.get(entry.path)
        for source in self._sources(item):
            same = owner is not None and (owner.version, owner.architecture) == (source.version, source.architecture)
            if written is Written.TOUCHED and same and _is_pristine(source, entry.path):
                return item._replace(ctime_ns=None)
            copy = self._originals.find(source, entry.path, self._wanted)
            if copy is not None:
                attributes, _ = read_attributes(entry.path)  # an archive has none
                return item._replace(source=bytes(copy), mtime_ns=None, ctime_ns=None, attributes=attributes)
        return None

    def advise(self, item: Item) -> str | None:
        """Return which archive would help, if it is known; files that were made at installation are in no archive."""
        if item.entry.belonging is not None:
            return None
        source = self._traced.get(item.entry.package or "")
        if source is None or item.source != item.entry.path or self._originals.has_archive(source):
            return None
        cache = find_cache(source)
        if cache is None or not may_hold(source, item.entry.path):
            return None
        return f"put {name_archive(source)} into {cache.folders[0]} and pack again, or trace again"

    def _sources(self, item: Item) -> list[PackageVersion]:
        """Return the packages that a file may be from: its owner or, if it has none now, all that changed."""
        if item.entry.package is not None:
            return [self._traced[item.entry.package]] if item.entry.package in self._traced else []
        installed = {(owner.name, owner.version) for owner in self._plan.owners.values()}
        return [source for source in self._traced.values() if (source.name, source.version) not in installed]

    def _wanted(self) -> dict[bytes, Wanted]:
        """Return the state of every file that may have to be restored, so that one reading of an archive is enough."""
        return {
            item.entry.path: Wanted(item.entry.size, item.entry.mtime_ns)
            for item in self._plan.items
            if item.source == item.entry.path and _differs(item)
        }


def _is_pristine(source: PackageVersion, path: bytes) -> bool:
    """Whether the content of a file is still what its package brought; no where its manager cannot tell."""
    manager = find_manager(source.manager)
    return manager is not None and manager.is_as_shipped is not None and manager.is_as_shipped(source, path, path)


def _differs(item: Item) -> bool:
    """Whether a file is not, or may not be, what the run found."""
    try:
        state = os.stat(item.entry.path, follow_symlinks=False)
    except OSError:
        return True
    known = (item.entry.size, item.entry.mtime_ns)
    return (state.st_size, keep_time(state.st_mtime_ns)) != known or item.ctime_ns not in {
        None,
        keep_time(state.st_ctime_ns),
    }
