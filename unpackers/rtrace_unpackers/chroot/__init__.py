"""The unpacker ``chroot``: a folder with the bundle's files, replayed in namespaces of its own.

    TARGET/                     entered by nobody but its owner
      rtrace-target.json        what this is
      manifest.yml              the runs
      rtrace.lock               locked by whoever uses it
      root/                     the files of the bundle, in which every replay works on

A throw-away target shares these with others and has its own changes, see `sharing`.

A replay takes place in a user namespace. As root the files are owned as recorded, and the replay's ids are nobody's
outside of it: its mount of the tree shows the owners as the recorded ids, or, where the file system cannot, the files
are owned by those nobodies. Anybody else owns all of the files, and has the recorded ids in the namespace.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import Ability, Cached, Unpacked
from rtrace_unpackers.chroot.state_words import NAME, SHARED

if TYPE_CHECKING:
    from rtrace_unpackers.cache.trees import Held
    from rtrace_unpackers.chroot.target import ChrootTarget


class ChrootUnpacker:
    """Makes chroot targets. A replay does not need the code that reads bundles, so that is loaded when it is used."""

    name = NAME
    summary = "a folder with the files, replayed in namespaces (Linux; as root or as a user)"
    rank = 10
    stand_in: str | None = "proot"

    def __init__(self) -> None:
        self.held: dict[Path, Held] = {}
        """The trees of the targets that were made and are not open yet: nobody may remove these meanwhile."""

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Return what ``unpack`` would write, a line for each step."""
        from rtrace_unpackers.chroot.making import plan_target

        return plan_target(bundle, target)

    def unpack(
        self,
        bundle: Path,
        target: Path,
        *,
        progress: Progress = SILENT,
        sources: Sources = NO_SOURCES,
        throw_away: bool = False,
    ) -> Unpacked:
        """Write the bundle's files below a new folder, or share a tree of the cache."""
        if not sys.platform.startswith("linux"):
            raise TargetError("the chroot unpacker works on Linux only; use the docker unpacker here")
        from rtrace.replay.cache_place import is_off

        if throw_away and not is_off():
            from rtrace_unpackers.chroot.sharing import make_shared

            made = make_shared(bundle, target, progress, sources)
            if made is not None:
                self.held[target] = made[1]
                return made[0]
        from rtrace_unpackers.chroot.making import make_target

        return make_target(bundle, target, progress, sources)

    def examine(self) -> Sequence[Ability]:
        """Try what replays in namespaces need, and what makes them better."""
        if not sys.platform.startswith("linux"):
            return (Ability("chroot targets", works=False, detail="only Linux has them"),)
        from rtrace_unpackers.chroot.abilities import examine

        return tuple(examine())

    def find_problem(self) -> str | None:
        """Return why there are no namespaces for a replay here."""
        if not sys.platform.startswith("linux"):
            return "only Linux has namespaces"
        from rtrace_unpackers.chroot.refused import find_refusal

        return find_refusal()

    def list_cached(self) -> Sequence[Cached]:
        """Return the trees in the cache."""
        from rtrace_unpackers.cache.trees import list_cached

        return list_cached()

    def clear_cached(self, cached: Cached) -> bool:
        """Remove a tree from the cache, unless a replay uses it."""
        from rtrace_unpackers.cache.trees import remove_tree

        return remove_tree(cached.path)

    def open(self, target: Path) -> ChrootTarget:
        """Open a folder that ``unpack`` made."""
        from rtrace.replay.target_folder import TargetFolder
        from rtrace_unpackers.chroot.target import ChrootTarget
        from rtrace_unpackers.target.state import read_manifest, read_state

        folder = TargetFolder(target)
        state = read_state(folder, NAME)
        if SHARED in state.facts:
            from rtrace_unpackers.chroot.shared_target import SharedTarget

            return SharedTarget(folder, state, read_manifest(folder), self.held.pop(target, None))
        return ChrootTarget(folder, state, read_manifest(folder))


UNPACKER = ChrootUnpacker()
