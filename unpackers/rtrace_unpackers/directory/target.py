"""A directory target, and that of the unpacker ``proot``: chroot targets in all but what they are called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rtrace.bundle.entry import Entry
from rtrace.replay.protocol import Expected, Snapshot
from rtrace_unpackers.chroot.target import ChrootTarget
from rtrace_unpackers.directory.making import add_entry
from rtrace_unpackers.directory.words import ENTRY, MADE
from rtrace_unpackers.isolation.users.ids import Maps


class DirectoryTarget(ChrootTarget):
    """A folder with the bundle's files and a script that replays them."""

    made: tuple[str, ...] = MADE

    def inspect(self, paths: Expected, packed: Iterable[Entry]) -> Snapshot:
        """Return what is in the tree, but for the folder where launchers appear."""
        found = super().inspect(paths, packed)
        return replace(found, extra=tuple(path for path in found.extra if path != b"/" + ENTRY))

    def complete_tree(self, root: int) -> None:
        """Make the folder where launchers appear in a new tree."""
        add_entry(root)


class ProotTarget(ChrootTarget):
    """A folder with the bundle's files, replayed under proot even where there are namespaces."""

    def is_traced(self) -> bool:
        """Whether a replay takes place under proot."""
        return True

    def list_others(self) -> Maps | None:
        """Return no users of whom a replay may have been: under proot it was of this one."""
        return None
