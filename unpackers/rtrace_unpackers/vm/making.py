"""Make a vm target: an empty disk, into which a first start of the machine writes the bundle's files.

The files of a bundle are read by the guest's own tools, never by a program of this machine, and nothing needs root.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from rtrace.bundle.entry import Entry
from rtrace.debugging import debug
from rtrace.elsewhere.sources import Sources
from rtrace.errors import TargetError
from rtrace.interrupts import shielded
from rtrace.manifest.model import Run
from rtrace.printable import format_size, printable
from rtrace.progress import Progress
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.engines.image.dockerfile import FOLDER
from rtrace_unpackers.engines.image.rootfs import make_header, write_rootfs
from rtrace_unpackers.files.copying import refuse_too_large
from rtrace_unpackers.files.layout import Layout
from rtrace_unpackers.files.xattr_setting import tell_lost
from rtrace_unpackers.isolation.users.ids import refuse_many, refuse_no_id
from rtrace_unpackers.target.making import Contents, Material, opened_material, plan_material
from rtrace_unpackers.target.placement import building
from rtrace_unpackers.vm.guest import render_initrd, render_job
from rtrace_unpackers.vm.kernel import (
    FORMATTING,
    IMAGES,
    PROGRAMS_FOR,
    demand_program,
    find_kernel,
    find_problem,
    list_accelerators,
)
from rtrace_unpackers.vm.machine import Machine, find_folder, write_beside
from rtrace_unpackers.vm.words import ACCELERATOR, CHANGES, INITRD, KEEPING, KERNEL, NAME, ROOTFS, TREE

PATIENCE = 20.0
"""Seconds that an accelerated machine has to show that it lives; it takes about two."""
FREE = 8 << 30
"""Bytes of the disk beyond the bundle's files; it has holes, so they take no room here until they are written."""
BYTES_FOR_AN_INODE = 16384
BLOCK = 512


def plan_target(bundle: Path, target: Path) -> tuple[str, ...]:
    """Return what `make_target` would do, a line for each step."""
    material = plan_material(bundle)
    layout = material.layout
    problem = find_problem()
    started = (
        "start a machine once that writes"
        if problem is None
        else f"fail, for no machine can be started: {problem}; else write"
    )
    return (
        f"make {target}",
        f"copy a kernel to {target / KERNEL}, and make {target / INITRD}",
        f"{started} {layout.counts.text} ({format_size(layout.size)}) to {target / TREE}",
    )


def make_target(bundle: Path, target: Path, progress: Progress, sources: Sources) -> Unpacked:
    """Make a machine's disk of a bundle. Raises BundleError and TargetError."""
    with opened_material(bundle, target, sources) as (material, contents):
        refuse_runs(bundle, material.manifest.runs)
        refuse_owners(material.entries)
        problem = find_problem()
        if problem is not None:
            raise TargetError(f"no machine can be started here: {problem.removeprefix('the vm unpacker needs ')}")
        kernel = find_kernel()
        initrd = render_initrd(kernel)
        with building(target) as workspace:
            folder = workspace.descriptor
            write_beside(folder, KERNEL, kernel.path.read_bytes(), 0o644)
            write_beside(folder, INITRD, initrd, 0o600)
            empty, accelerator = write_tree(folder, material, contents, progress)
            make_changes(folder, CHANGES)
            keeps = "yes" if material.layout.has_shared_memory else "no"
            material.note(workspace, NAME, {KEEPING: keeps, ACCELERATOR: accelerator})
    lost = [(entry.path, name) for entry in material.entries for name, _ in entry.xattrs]
    notices = [
        f"the machine has the kernel {kernel.path.name}, and keeps times of files to the second",
        *tell_lost(lost),
    ]
    if empty:
        names = ", ".join(printable(entry.path) for entry in empty[:3]) + (" and others" if len(empty) > 3 else "")  # noqa: PLR2004
        notices.append(f"only the names of {names} were needed: on the disk these large files are empty")
    return material.conclude(target, notices)


def refuse_runs(bundle: Path, runs: Sequence[Run]) -> None:
    """Raise TargetError for what such a machine cannot start, HostileBundleError for what are no ids."""
    if not runs:
        raise TargetError(f"{bundle} holds no run to replay")
    for run in runs:
        if run.architecture not in PROGRAMS_FOR:
            shown = printable(os.fsencode(run.architecture))
            raise TargetError(
                f"a machine runs programs for x86-64 and i386, and {run.id} is one for {shown}; use chroot"
            )
        refuse_no_id((run.uid, run.gid, *run.groups), run.id)
        refuse_many(run.groups, run.id)


def refuse_owners(entries: Iterable[Entry]) -> None:
    """Raise HostileBundleError for owners that are no ids."""
    for entry in entries:
        refuse_no_id((entry.uid, entry.gid), printable(entry.path))


def write_tree(
    folder: int, material: Material, contents: Contents, progress: Progress
) -> tuple[tuple[Entry, ...], str]:
    """Make the disk; return the placeholders that were left empty, and how the machine is run. Raises TargetError."""
    layout = material.layout
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(ROOTFS, flags, 0o600, dir_fd=folder), "w+b") as file:
        refuse_too_large(2 * layout.size, file.fileno())
        empty = write_rootfs(file, layout, contents, FOLDER, progress=progress, form=tarfile.GNU_FORMAT)
        first = pad(file)
        write_folders(file, layout)
        second = pad(file) - first
        file.flush()
        make_disk(folder, layout)
        settings = {"first_size": b"%d" % first, "second_size": b"%d" % second}
        with open(os.open(ROOTFS, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder), "rb") as source:
            job = render_job("write", settings)
            accelerator = write_in_machine(Machine(folder, job, source.fileno(), changes=False), layout)
    os.unlink(ROOTFS, dir_fd=folder)
    return empty, accelerator


def write_in_machine(machine: Machine, layout: Layout) -> str:
    """Have a machine write the tree; return how it is run: where KVM is there and does not work, it is emulated.

    Raises TargetError.
    """
    for accelerator in list_accelerators():
        machine = replace(machine, accelerator=accelerator, patience=PATIENCE if accelerator == "kvm" else None)
        try:
            told = machine.run()
        except TargetError as error:
            if machine.is_alive.is_set() or accelerator != "kvm":
                raise
            debug(__name__, "no machine with KVM: %s", error)
            os.unlink(TREE, dir_fd=machine.folder)
            make_disk(machine.folder, layout)
            continue
        if "done" in told:
            return accelerator
        break
    raise TargetError("the machine ended before all files were written; try again")


def pad(file: BinaryIO) -> int:
    """Pad a file to a multiple of a disk's block; return its size."""
    size = file.seek(0, os.SEEK_END)
    file.write(bytes(-size % BLOCK))
    return file.tell()


def write_folders(file: BinaryIO, layout: Layout) -> None:
    """Write the folders once more, so that they get their times when all that is in them is there."""
    with tarfile.open(
        fileobj=file, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for entry in reversed(layout.directories):
            header = make_header(entry, tarfile.DIRTYPE)
            header.name = header.name or "."
            tar.addfile(header)


def make_disk(folder: int, layout: Layout) -> None:
    """Make a file that is an empty disk. Raises TargetError."""
    size = FREE + 2 * layout.size
    write_beside(folder, TREE, b"", 0o600)
    path = find_folder(folder) / TREE
    os.truncate(path, size)
    inodes = size // BYTES_FOR_AN_INODE + len(layout.directories) + 2 * layout.count
    options = ("-q", "-F", "-t", "ext4", "-m", "0", "-E", "root_owner=0:0", "-N", str(inodes))
    call(demand_program(FORMATTING), *options, str(path))


def make_changes(folder: int, name: str) -> None:
    """Make the file that gets what replays change on the disk. Raises TargetError."""
    where = find_folder(folder)
    made = where / name
    with contextlib.ExitStack() as stack:
        stack.enter_context(shielded())
        call(demand_program(IMAGES), "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(where / TREE), str(made))
        # The name of the tree that it holds is of no use later: a machine is given both by descriptor.
        os.chmod(made, 0o600)


def call(*words: str) -> None:
    """Call a program that makes something. Raises TargetError with its last line."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise TargetError(f"`{os.path.basename(words[0])}` failed: {lines[-1]}")
