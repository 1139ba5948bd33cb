"""The unpacker ``apptainer``: the image of a bundle for Apptainer, and for SingularityCE and Singularity.

    TARGET/                     entered by nobody but its owner
      image.oci.tar image.def   the image as an archive, and the definition over it
      image.sif                 the image file that Apptainer makes of them
      root/                     the files of the bundle, in which every replay of rtrace's works on
      rtrace-target.json manifest.yml rtrace.lock

A replay is a container of Apptainer's in the folder `root`: as the user who starts it, with no network and none of the
machine's files. `apptainer run image.sif` replays without rtrace, and `apptainer test image.sif` compares, too.

    words        the names, and the options for a person without rtrace
    definition   the definition file
    own_places   where Apptainer writes in an image, and what therefore is not in it
    settings     the configuration, where a user may bring one
    tool         the program on this machine
    plan         the command line, the settings, and the calls of the first process
    running      one replay
    trying       whether one can be started here
    making       the target made
    target       the target
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.bundle.protocol import OpenBundle
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError, UsageError
from rtrace.exports.protocol import Expectations
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import Ability, Images, Unpacked
from rtrace_unpackers.apptainer.words import NAME

if TYPE_CHECKING:
    from rtrace_unpackers.apptainer.target import ApptainerTarget


def expect_nothing(_bundle: OpenBundle) -> Expectations:
    """Return nothing that replays are compared with."""
    return Expectations()


@dataclass(frozen=True)
class ApptainerUnpacker:
    """Makes apptainer targets."""

    name: str = NAME
    summary: str = "an image and its definition for Apptainer or Singularity, for a plain user (Linux)"
    rank: int = 40
    stand_in: str | None = None
    builds: bool = True
    expect: Callable[[OpenBundle], Expectations] = expect_nothing

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Return what ``unpack`` would make, a line for each step."""
        from rtrace_unpackers.apptainer.making import plan_apptainer

        return plan_apptainer(bundle, target, builds=self.builds)

    def unpack(
        self,
        bundle: Path,
        target: Path,
        *,
        progress: Progress = SILENT,
        sources: Sources = NO_SOURCES,
        throw_away: bool = False,
    ) -> Unpacked:
        """Write the definition and what it needs below a new folder, and have the image built."""
        refuse_elsewhere()
        from rtrace_unpackers.apptainer.making import make_apptainer, write_definition

        if not self.builds:
            return write_definition(bundle, target, progress, sources, self.expect)
        return make_apptainer(bundle, target, progress, sources, self.expect, throw_away=throw_away)

    def make_images(self, images: Images) -> ApptainerUnpacker:
        """Return this unpacker, building or not. Raises UsageError for an image below, which there is none."""
        if images.base is not None:
            raise UsageError(
                "an image of Apptainer's is made of the bundle alone: leave out --base-image, or name docker"
            )
        return replace(self, builds=images.build)

    def expecting(self, expect: Callable[[OpenBundle], Expectations]) -> ApptainerUnpacker:
        """Return this unpacker, whose images compare what comes out with what a bundle expects."""
        return replace(self, expect=expect)

    def find_problem(self) -> str | None:
        """Return why nothing can be replayed with it here."""
        if not sys.platform.startswith("linux"):
            return "only Linux has it"
        from rtrace_unpackers.apptainer.trying import find_problem

        return find_problem()

    def examine(self) -> Sequence[Ability]:
        """Look for the program."""
        if not sys.platform.startswith("linux"):
            return ()
        from rtrace_unpackers.apptainer.tool import ask, find_tool
        from rtrace_unpackers.apptainer.trying import find_problem

        problem, tool = find_problem(), find_tool()
        detail = problem or f"`--unpacker {NAME}` replays with {ask(tool or NAME, '--version')}"
        return (Ability(NAME, works=problem is None, detail=detail),)

    def open(self, target: Path) -> ApptainerTarget:
        """Open a folder that ``unpack`` made."""
        refuse_elsewhere()
        from rtrace.replay.target_folder import TargetFolder
        from rtrace_unpackers.apptainer.target import ApptainerTarget
        from rtrace_unpackers.target.state import read_manifest, read_state

        folder = TargetFolder(target)
        return ApptainerTarget(folder, read_state(folder, NAME), read_manifest(folder))


def refuse_elsewhere() -> None:
    """Raise TargetError where there is no Apptainer at all."""
    if not sys.platform.startswith("linux"):
        raise TargetError("the apptainer unpacker works on Linux only; use the docker unpacker here")


UNPACKER = ApptainerUnpacker()
