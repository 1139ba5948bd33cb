"""A vm target: a disk, and beside it the changes that replays made to it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from rtrace.bundle.entry import Entry
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.files.workspaces import temporary_folder
from rtrace.interrupts import shielded
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Manifest, Run
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.protocol import OWN_STREAMS, Expected, Outcome, Snapshot, Streams
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.engines.container.exchanging import sized
from rtrace_unpackers.engines.container.executing import is_joined
from rtrace_unpackers.engines.container.exported import read_export
from rtrace_unpackers.engines.image.descriptors import Step
from rtrace_unpackers.engines.image.dockerfile import FOLDER
from rtrace_unpackers.engines.image.launcher import LauncherData, PlanFirst, build_launcher
from rtrace_unpackers.files.layout import parent_of
from rtrace_unpackers.launchers.processors import CALLS, Processor
from rtrace_unpackers.target.removal import remove_target
from rtrace_unpackers.target.state import State
from rtrace_unpackers.vm.guest import render_job
from rtrace_unpackers.vm.kernel import list_accelerators
from rtrace_unpackers.vm.machine import LEAST_MEMORY, MEBIBYTE, MEMORY, Machine, Size, reading
from rtrace_unpackers.vm.making import make_changes, refuse_runs
from rtrace_unpackers.vm.replaying import replay_in
from rtrace_unpackers.vm.words import ACCELERATOR, CHANGES, CHANGES_NEW, KEEPING, MADE

SECOND = 1_000_000_000
PART = 1 << 20
EVERYTHING = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
"""A filter of calls that allows them all, see seccomp(2): the kernel is the guest's own."""


class VmTarget:
    """The folder of a machine."""

    def __init__(self, folder: TargetFolder, state: State, manifest: Manifest) -> None:
        """Raise TargetError for runs that no machine starts."""
        self.folder = folder
        self.state = state
        self.manifest = manifest
        refuse_runs(folder.path, manifest.runs)

    @property
    def path(self) -> Path:
        """The folder, as the caller named it."""
        return self.folder.path

    @property
    def accelerator(self) -> str:
        """How the machine is run: as the first start could be, or as a person says."""
        known = list_accelerators()
        made = self.state.facts.get(ACCELERATOR, "tcg")
        return made if made in known else known[-1]

    def runs(self) -> Sequence[Run]:
        """Return the runs of the bundle."""
        return self.manifest.runs

    def run(
        self,
        run: Run,
        *,
        streams: Streams = OWN_STREAMS,
        limits: Limits = DEFAULT_LIMITS,
        grants: Grants = NOTHING,
    ) -> Outcome:
        """Start the machine for one run, and end it with that. The program never has a terminal."""
        refuse_grants(grants)
        refuse_runs(self.path, (run,))
        settings = {
            "hostname": os.fsencode(run.hostname),
            "joined": b"joined" if is_joined(streams) else b"",
            "network": b"yes" if grants.network else b"no",
            "processes": b"" if limits.processes is None else b"%d" % limits.processes,
            "shared_memory": b"kept" if self.state.facts.get(KEEPING) == "yes" else b"",
        }
        job = render_job("replay", settings, build_launcher(run, plan_identity(run), EVERYTHING))
        with self.folder.lock():
            machine = Machine(self.folder.descriptor, job, size=choose_size(limits), network=grants.network)
            machine.accelerator = self.accelerator
            outcome = replay_in(machine, run, streams, limits)
        return dataclasses.replace(outcome, notes=(*outcome.notes, *tell_size(limits)))

    def inspect(self, paths: Expected, packed: Iterable[Entry]) -> Snapshot:
        """Return what is on the disk: the guest sends its files, and only their archive is read here."""
        entries = tuple(packed)

        @contextlib.contextmanager
        def export() -> Iterator[IO[bytes]]:
            with reading(self.make_machine("list")) as source, open(source, "rb", closefd=False) as file:
                yield file
                while file.read(PART):  # what follows the archive's end, or the guest would wait for ever
                    pass

        with self.folder.lock():
            return read_export(export, paths, entries, FOLDER.encode(), frozenset())

    def put(self, entry: Entry, content: BinaryIO) -> None:
        """Put a file on the disk."""
        way = list_way(entry.path)
        with self.folder.lock(), sized(content) as (file, size), padded(file, size) as second:
            settings = {
                "path": entry.path,
                "size": b"%d" % size,
                "uid": b"%d" % entry.uid,
                "gid": b"%d" % entry.gid,
                "mode": b"%o" % entry.mode,
                "seconds": b"%d" % max(0, entry.mtime_ns // SECOND),
                "way_count": b"%d" % len(way),
                **{f"way_{number}": folder for number, folder in enumerate(way)},
            }
            told = self.make_machine("put", settings, second).run()
        refuse_obstacle(told, entry.path, way)

    def fetch(self, path: bytes, into: BinaryIO) -> None:
        """Copy a file from the disk."""
        with self.folder.lock():
            machine = self.make_machine("fetch", {"path": path})
            with reading(machine) as source, open(source, "rb", closefd=False) as file:
                while part := file.read(PART):
                    into.write(part)
        told = machine.finish()
        if "absent" in told:
            raise FileNotFoundError(path)
        if "other" in told:
            raise TargetError(f"{printable(path)} is no regular file in the target; name another file")
        if "done" not in told:
            raise machine.complain()

    def make_machine(self, job: str, settings: dict[str, bytes] | None = None, second: int | None = None) -> Machine:
        """Return a machine with a job."""
        return Machine(self.folder.descriptor, render_job(job, settings or {}), second, accelerator=self.accelerator)

    def reset(
        self,
        bundle: Path,  # noqa: ARG002 -- the disk has all of it
        *,
        progress: Progress = SILENT,  # noqa: ARG002 -- it takes a moment
        sources: Sources = NO_SOURCES,  # noqa: ARG002
    ) -> None:
        """Forget the changes."""
        folder = self.folder.descriptor
        with self.folder.lock(), shielded():
            with contextlib.suppress(FileNotFoundError):  # of a reset that was killed
                os.unlink(CHANGES_NEW, dir_fd=folder)
            make_changes(folder, CHANGES_NEW)
            os.rename(CHANGES_NEW, CHANGES, src_dir_fd=folder, dst_dir_fd=folder)

    def destroy(self) -> None:
        """Remove the folder."""
        remove_target(self.folder, MADE)


def plan_identity(run: Run) -> PlanFirst:
    """Return what plans to become the user of a run. Root of a machine of its own keeps all that root may."""

    def plan(data: LauncherData, processor: Processor) -> Sequence[Step]:
        calls = CALLS[processor.name]
        groups = struct.pack(f"={len(run.groups)}I", *run.groups)
        return (
            (calls["setgroups"], len(run.groups), data.add_string(groups), 0, 0),
            (calls["setresgid"], run.gid, run.gid, run.gid, 0),
            (calls["setresuid"], run.uid, run.uid, run.uid, 0),
        )

    return plan


def refuse_grants(grants: Grants) -> None:
    """Raise TargetError for what a machine cannot be given."""
    wanted = (
        (grants.display, "a display (--x11)"),
        (grants.gpu, "a graphics processor (--gpu)"),
        (bool(grants.ports), "ports (--port)"),
    )
    for is_wanted, what in wanted:
        if is_wanted:
            raise TargetError(f"a vm target cannot be given {what}; use the chroot unpacker")


def choose_size(limits: Limits) -> Size:
    """Return the memory and the processors of a machine."""
    memory = MEMORY if limits.memory is None else max(LEAST_MEMORY, limits.memory // MEBIBYTE)
    processors = 1 if limits.cpus is None else max(1, math.ceil(limits.cpus))
    return Size(memory, min(processors, os.cpu_count() or 1))


def tell_size(limits: Limits) -> tuple[str, ...]:
    """Return in what a machine is larger than a limit says, a sentence each."""
    notes = []
    if limits.memory is not None and limits.memory < LEAST_MEMORY * MEBIBYTE:
        notes.append(f"the machine has {LEAST_MEMORY} MiB of memory: its kernel needs some of it (--memory)")
    if limits.cpus is not None and limits.cpus != int(limits.cpus):
        notes.append(f"a machine has whole processors: it has {choose_size(limits).processors} (--cpus)")
    return tuple(notes)


def list_way(path: bytes) -> list[bytes]:
    """Return the folders above a path, from the top down, without the root."""
    way: list[bytes] = []
    above = parent_of(path)
    while above != b"/":
        way.insert(0, above)
        above = parent_of(above)
    return way


def refuse_obstacle(told: Sequence[str], path: bytes, way: Sequence[bytes]) -> None:
    """Raise TargetError when a file was not put, with what is in its way."""
    if "done" in told:
        return
    place = printable(path)
    for line in told:
        kind, _, number = line.partition(" ")
        if kind == "obstacle" and number.isdigit() and int(number) < len(way):
            place = f"{printable(way[int(number)])} is a symbolic link or no folder"
        elif kind == "folder":
            place = f"{place} is a folder"
    raise TargetError(f"cannot put {printable(path)} on the disk: {place}; `rtrace reset` brings the packed state back")


@contextlib.contextmanager
def padded(content: BinaryIO, size: int) -> Iterator[int]:
    """Yield a file with a content as a disk has it: in whole blocks, and never none."""
    with tempfile.TemporaryFile(dir=temporary_folder()) as file:
        left = size
        while left and (part := content.read(min(PART, left))):
            file.write(part)
            left -= len(part)
        file.truncate(size + -size % 512 or 512)
        file.flush()
        with open(os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC), "rb") as only_read:
            yield only_read.fileno()
