"""The unpacker ``chroot``: a folder with the bundle's files, replayed in namespaces of its own.

    TARGET/                     entered by nobody but its owner
      rtrace-target.json        what this is
      manifest.yml              the runs
      rtrace.lock               locked by whoever uses it
      root/                     the files of the bundle, in which every replay works on

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
from rtrace.replay.protocol import Ability, Unpacked
from rtrace_unpackers.chroot.state_words import NAME

if TYPE_CHECKING:
    from rtrace_unpackers.chroot.target import ChrootTarget


class ChrootUnpacker:
    """Makes chroot targets. A replay does not need the code that reads bundles, so that is loaded when it is used."""

    name = NAME
    summary = "a folder with the files, replayed in namespaces (Linux; as root or as a user)"
    rank = 10
    stand_in: str | None = "proot"

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
        throw_away: bool = False,  # noqa: ARG002 -- nothing is shared yet
    ) -> Unpacked:
        """Write the bundle's files below a new folder."""
        if not sys.platform.startswith("linux"):
            raise TargetError("the chroot unpacker works on Linux only; use the docker unpacker here")
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

    def open(self, target: Path) -> ChrootTarget:
        """Open a folder that ``unpack`` made."""
        from rtrace.replay.target_folder import TargetFolder
        from rtrace_unpackers.chroot.target import ChrootTarget
        from rtrace_unpackers.target.state import read_manifest, read_state

        folder = TargetFolder(target)
        return ChrootTarget(folder, read_state(folder, NAME), read_manifest(folder))


UNPACKER = ChrootUnpacker()
