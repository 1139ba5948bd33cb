"""The unpacker ``vagrant``: the files of a machine that Vagrant makes of a box.

    TARGET/
      Vagrantfile provision.sh   what Vagrant does; nothing of the bundle is in them
      files.tar                  the bundle's files
      replaying.tar              launchers, table of runs and script, as a directory target has them
      rtrace-target.json manifest.yml

A person calls `vagrant up`, which may download a box, and replays in the machine by `run.sh`. Rtrace starts no Vagrant.

    words         the names
    vagrantfile   the Vagrantfile, and which box
    making        the target made; `provision.sh` puts it in place in the machine
    target        the target: refuses what it does not do, and says how Vagrant does it
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import ANY_IMAGES, Images, Unpacked
from rtrace_unpackers.vagrant.words import NAME

if TYPE_CHECKING:
    from rtrace_unpackers.vagrant.target import VagrantTarget


@dataclass(frozen=True)
class VagrantUnpacker:
    """Makes vagrant targets."""

    name: str = NAME
    summary: str = "a Vagrantfile and what it needs: a machine made and replayed in by Vagrant, without rtrace"
    images: Images = ANY_IMAGES

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Return what ``unpack`` would write, a line for each step."""
        from rtrace_unpackers.vagrant.making import plan_vagrant

        return plan_vagrant(bundle, target, self.images.base)

    def unpack(
        self,
        bundle: Path,
        target: Path,
        *,
        progress: Progress = SILENT,
        sources: Sources = NO_SOURCES,
        throw_away: bool = False,
    ) -> Unpacked:
        """Write the files of a machine below a new folder."""
        refuse_elsewhere()
        if throw_away:
            raise TargetError(
                "rtrace writes the files of Vagrant's machines and does not replay in them: `rtrace unpack vagrant` "
                "makes them, and --unpacker names another unpacker for this"
            )
        from rtrace_unpackers.vagrant.making import make_vagrant

        return make_vagrant(bundle, target, progress, sources, self.images.base)

    def make_images(self, images: Images) -> VagrantUnpacker:
        """Return this unpacker with the box that a person names. Raises UsageError for a name that none has."""
        from rtrace_unpackers.vagrant.vagrantfile import check_box

        if images.base is not None:
            check_box(images.base)
        return replace(self, images=images)

    def open(self, target: Path) -> VagrantTarget:
        """Open a folder that ``unpack`` made."""
        refuse_elsewhere()
        from rtrace.replay.target_folder import TargetFolder
        from rtrace_unpackers.target.state import read_manifest, read_state
        from rtrace_unpackers.vagrant.target import VagrantTarget

        folder = TargetFolder(target)
        read_state(folder, NAME)
        return VagrantTarget(folder, read_manifest(folder))


def refuse_elsewhere() -> None:
    """Raise TargetError where folders have no descriptors."""
    if not sys.platform.startswith("linux"):
        raise TargetError("the vagrant unpacker works on Linux only; use the docker unpacker here")


UNPACKER = VagrantUnpacker()
