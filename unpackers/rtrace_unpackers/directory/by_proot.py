"""The unpacker ``proot``: a folder with the bundle's files, replayed under proot(1), which does not isolate."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import Ability, Unpacked
from rtrace_unpackers.proot.finding import NAME

if TYPE_CHECKING:
    from rtrace_unpackers.directory.target import ProotTarget


class ProotUnpacker:
    """Makes targets that are replayed under proot whatever the machine has."""

    name = NAME
    summary = "a folder with the files, replayed under proot: not isolated, for a plain user (Linux)"
    rank = 90
    stand_in: str | None = None

    def find_problem(self) -> str | None:
        """Return why proot cannot replay here."""
        if not sys.platform.startswith("linux"):
            return "only Linux has it"
        from rtrace_unpackers.proot.finding import find_problem

        return find_problem()

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
        throw_away: bool = False,  # noqa: ARG002 -- nothing is shared
    ) -> Unpacked:
        """Write the bundle's files below a new folder."""
        if not sys.platform.startswith("linux"):
            raise TargetError("the proot unpacker works on Linux only; use the docker unpacker here")
        from rtrace_unpackers.chroot.making import Kind, make_target
        from rtrace_unpackers.proot.dangers import refuse_root

        refuse_root(is_root=os.geteuid() == 0)
        return make_target(bundle, target, progress, sources, Kind(NAME))

    def examine(self) -> Sequence[Ability]:
        """Try it, and look for the other tools that the script of a directory target takes."""
        if not sys.platform.startswith("linux"):
            return ()
        from rtrace_unpackers.directory.abilities import examine

        return tuple(examine())

    def open(self, target: Path) -> ProotTarget:
        """Open a folder that ``unpack`` made."""
        from rtrace.replay.target_folder import TargetFolder
        from rtrace_unpackers.directory.target import ProotTarget
        from rtrace_unpackers.target.state import read_manifest, read_state

        folder = TargetFolder(target)
        return ProotTarget(folder, read_state(folder, NAME), read_manifest(folder))


UNPACKER = ProotUnpacker()
