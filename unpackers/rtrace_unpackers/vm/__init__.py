"""The unpacker ``vm``: a disk that a machine of its own replays from, with its own kernel, emulated by qemu(1).

    TARGET/
      rtrace-target.json manifest.yml
      kernel initrd         what the machine begins with: a kernel of this machine's, and its init with a few tools
      tree.img              the disk with the bundle's files
      changes.qcow2         what replays change on it

Each replay starts the machine and ends it. It has no network, terminal or file of this machine's.

    words      the names
    cpio       the archives that a kernel begins with
    kernel     what is found on this machine: kernel, modules, programs
    guest      what a guest is given; `guest.sh` is its first process
    machine    one start of qemu
    making     the target made
    replaying  one replay
    target     the target
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
from rtrace_unpackers.vm.words import NAME

if TYPE_CHECKING:
    from rtrace_unpackers.vm.target import VmTarget


class VmUnpacker:
    """Makes vm targets."""

    name = NAME
    summary = "a disk and a kernel, booted with qemu for each replay (Linux on x86-64)"

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Return what ``unpack`` would do, a line for each step."""
        from rtrace_unpackers.vm.making import plan_target

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
        """Make a disk in a new folder, and have a machine write the bundle's files to it."""
        refuse_elsewhere()
        from rtrace_unpackers.vm.making import make_target

        return make_target(bundle, target, progress, sources)

    def examine(self) -> Sequence[Ability]:
        """Look for what a machine needs."""
        if not sys.platform.startswith("linux"):
            return ()
        import os

        from rtrace_unpackers.vm.kernel import KVM, find_kernel, find_problem

        problem = find_problem()
        if problem is not None:
            return (Ability(NAME, works=False, detail=problem),)
        how = "with KVM if that works" if os.access(KVM, os.R_OK | os.W_OK) else f"emulated, for {KVM} cannot be used"
        return (Ability(NAME, works=True, detail=f"`--unpacker vm` boots {find_kernel().path}, {how}"),)

    def open(self, target: Path) -> VmTarget:
        """Open a folder that ``unpack`` made."""
        refuse_elsewhere()
        from rtrace.replay.target_folder import TargetFolder
        from rtrace_unpackers.target.state import read_manifest, read_state
        from rtrace_unpackers.vm.target import VmTarget

        folder = TargetFolder(target)
        return VmTarget(folder, read_state(folder, NAME), read_manifest(folder))


def refuse_elsewhere() -> None:
    """Raise TargetError where descriptors have no paths, by which files are given to qemu."""
    if not sys.platform.startswith("linux"):
        raise TargetError("the vm unpacker works on Linux only; use the docker unpacker here")


UNPACKER = VmUnpacker()
