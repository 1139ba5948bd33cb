"""Files that were changed after the trace, found again as the run found them: in the archives of their packages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.bundle.writing.bundle_writer import Written
from rtrace.files.stamps import keep_time
from rtrace.files.xattrs import read_attributes
from rtrace.packages.caches.archives import CACHES, Source
from rtrace.packages.caches.originals import Originals, Wanted

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.pack.plan import PackingPlan


class Recovery:
    """Knows the packages of a trace in the versions that the run found, and those that are installed now."""

    def __init__(self, plan: PackingPlan, folder: Path) -> None:
        """Extract into a folder of its own."""
        self._plan = plan
        self._originals = Originals(folder)
        self._traced = {
            package.name: Source(package.manager, package.name, package.version, package.architecture)
            for manager in reversed(CACHES)  # of two packages with one name dpkg's is the likely one
            for package in plan.manifest.packages
            if package.manager == manager
        }

    def recover(self, item: Item, written: Written) -> Item | None:
        """Give an item with the content that the run found; None when it cannot be had, or not be told from another.

        One that was only touched is good as it is when it has the MD5 that its package says.
        """
        entry = item.entry
        if item.source != entry.path:
            return None
        owner = self._plan.owners.get(entry.path)
        for source in self._sources(item):
            same = owner is not None and (owner.version, owner.architecture) == (source.version, source.architecture)
            by_dpkg = source.manager == "dpkg"
            if written is Written.TOUCHED and same and by_dpkg and self._originals.is_pristine(source, entry.path):
                return item._replace(ctime_ns=None)
            copy = self._originals.find(source, entry.path, self._wanted)
            if copy is not None:
                attributes, _ = read_attributes(entry.path)  # an archive has none
                return item._replace(source=bytes(copy), mtime_ns=None, ctime_ns=None, attributes=attributes)
        return None

    def advise(self, item: Item) -> str | None:
        """Name the archive that would help, when it is known which one that is: none holds what was made here."""
        if item.entry.belonging is not None:
            return None
        source = self._traced.get(item.entry.package or "")
        if source is None or item.source != item.entry.path or self._originals.has_archive(source):
            return None
        if not self._originals.may_hold(source, item.entry.path):
            return None
        return f"put {source.archive} into {CACHES[source.manager][0]} and pack again, or trace again"

    def _sources(self, item: Item) -> list[Source]:
        """Give the packages that the file may be from: its owner, or, if that is nobody now, all that changed."""
        if item.entry.package is not None:
            return [self._traced[item.entry.package]] if item.entry.package in self._traced else []
        installed = {(owner.name, owner.version) for owner in self._plan.owners.values()}
        return [source for source in self._traced.values() if (source.name, source.version) not in installed]

    def _wanted(self) -> dict[bytes, Wanted]:
        return {
            item.entry.path: Wanted(item.entry.size, item.entry.mtime_ns)
            for item in self._plan.items
            if item.source == item.entry.path and _differs(item)
        }


def _differs(item: Item) -> bool:
    """Tell whether a file is not, or may not be, what the run found."""
    try:
        state = os.stat(item.entry.path, follow_symlinks=False)
    except OSError:
        return True
    known = (item.entry.size, item.entry.mtime_ns)
    return (state.st_size, keep_time(state.st_mtime_ns)) != known or item.ctime_ns not in {
        None,
        keep_time(state.st_ctime_ns),
    }
