"""The unpacker ``directory``: a folder with the bundle's files and a script that replays them without rtrace.

    TARGET/                     entered by nobody but its owner
      run.sh                    replays runs with what a machine has: bubblewrap, proot, Charliecloud and others
      runs launchers/           what it needs to know of the runs, and the programs that start them
      own/                      empty: for what the tools need while a run lasts
      root/                     the files of the bundle, as in a chroot target
      rtrace-target.json manifest.yml rtrace.lock

`rtrace replay TARGET` works on it as on a chroot target. Beside it, `by_proot` has the unpacker ``proot``.

    words      the names
    starters   launchers and the table of runs
    making     the target made
    target     the target, and that of `proot`
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.directory.words import NAME

if TYPE_CHECKING:
    from rtrace_unpackers.directory.target import DirectoryTarget


class DirectoryUnpacker:
    """Makes directory targets."""

    name = NAME
    summary = "a folder with the files and a script, run.sh, that replays them without rtrace (Linux)"

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Return what ``unpack`` would write, a line for each step."""
        from rtrace_unpackers.directory.making import plan_directory

        return plan_directory(bundle, target)

    def unpack(
        self,
        bundle: Path,
        target: Path,
        *,
        progress: Progress = SILENT,
        sources: Sources = NO_SOURCES,
        throw_away: bool = False,  # noqa: ARG002 -- nothing is shared
    ) -> Unpacked:
        """Write the bundle's files, the launchers of its runs and the script below a new folder."""
        if not sys.platform.startswith("linux"):
            raise TargetError("the directory unpacker works on Linux only; use the docker unpacker here")
        from rtrace_unpackers.directory.making import make_directory

        return make_directory(bundle, target, progress, sources)

    def open(self, target: Path) -> DirectoryTarget:
        """Open a folder that ``unpack`` made."""
        from rtrace.replay.target_folder import TargetFolder
        from rtrace_unpackers.directory.target import DirectoryTarget
        from rtrace_unpackers.target.state import read_manifest, read_state

        folder = TargetFolder(target)
        return DirectoryTarget(folder, read_state(folder, NAME), read_manifest(folder))


UNPACKER = DirectoryUnpacker()
