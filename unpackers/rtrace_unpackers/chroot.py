"""The unpacker ``chroot``: a folder with the bundle's files, replayed in namespaces of its own.

    TARGET/                     entered by nobody but its owner
      rtrace-target.json        what this is
      manifest.yml              the runs
      root/                     the files of the bundle, in which every replay works on

As root the files are owned as recorded, and a replay changes its root to them. Anybody else owns all of them, and a
replay takes place in a user namespace, in which that user has the recorded ids.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace.elsewhere import NO_SOURCES, Sources, complete_data
from rtrace.errors import TargetError
from rtrace.interrupts import held
from rtrace.manifest.model import Manifest, Run
from rtrace.opening import open_bundle
from rtrace.progress import SILENT, Progress
from rtrace.unpacker import OWN_STREAMS, Outcome, Snapshot, Streams, Unpacked
from rtrace_unpackers import directories
from rtrace_unpackers.attributes import tell_lost
from rtrace_unpackers.extraction import extract
from rtrace_unpackers.isolation.plan import Owner, plan_isolation
from rtrace_unpackers.isolation.replay import replay
from rtrace_unpackers.layout import plan_layout
from rtrace_unpackers.ownership import choose_ownership
from rtrace_unpackers.placement import build_beside, refuse_existing
from rtrace_unpackers.removal import remove_tree
from rtrace_unpackers.snapshot import take_snapshot
from rtrace_unpackers.state import State, read_manifest, read_state, write_state

NAME = "chroot"
TREE = "root"
RECORDED, CALLER = "recorded", "caller"


class ChrootTarget:
    """A folder that holds the bundle's files."""

    def __init__(self, path: Path, state: State, manifest: Manifest) -> None:
        self.path = path
        self.state = state
        self.manifest = manifest

    @property
    def tree(self) -> Path:
        """The folder that is the root directory of a replay."""
        return self.path / TREE

    def runs(self) -> Sequence[Run]:
        """Tell the runs of the bundle."""
        return self.manifest.runs

    def run(self, run: Run, *, allow_network: bool = False, streams: Streams = OWN_STREAMS) -> Outcome:
        """Replay a run in namespaces; what it writes stays in the tree."""
        tree = os.path.realpath(os.fsencode(self.tree))
        refuse_unexecutable(tree)
        isolation = plan_isolation(run, tree, self.find_owner(tree), allow_network=allow_network)
        return replay(isolation, run.id, streams)

    def find_owner(self, tree: bytes) -> Owner | None:
        """Return whose the files are when they are one user's; None when they are owned as recorded."""
        if self.state.facts.get("owners") == RECORDED:
            if os.geteuid() != 0:
                raise TargetError(f"{self.path} was unpacked by root; replay it as root, or unpack the bundle yourself")
            return None
        status = os.stat(tree)
        if os.geteuid() not in {0, status.st_uid}:
            raise TargetError(f"{self.path} belongs to another user; unpack the bundle yourself")
        return Owner(status.st_uid, status.st_gid)

    def inspect(self, paths: Iterable[bytes], packed: Iterable[Entry]) -> Snapshot:
        """Look at the files of the tree."""
        try:
            with directories.opened(self.path) as folder:
                root, mode = directories.open_accessible(TREE.encode(), folder)
                try:
                    return take_snapshot(root, paths, packed)
                finally:
                    if mode is not None:
                        os.fchmod(root, mode)
                    os.close(root)
        except OSError as error:
            raise TargetError(f"cannot look into {self.tree}: {error.strerror}") from None

    def destroy(self) -> None:
        """Remove the folder; there is nothing elsewhere, for mounts live in a replay's namespaces alone."""
        remove_tree(self.path)


class ChrootUnpacker:
    """Makes chroot targets."""

    name = NAME
    summary = "a folder with the files, replayed in namespaces (Linux; as root or as a user)"

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Tell what ``unpack`` would write."""
        with open_bundle(bundle) as opened:
            layout = plan_layout(opened.entries)
            runs = opened.manifest.runs
        whose = "owned as recorded" if os.geteuid() == 0 else "owned by you"
        return (
            f"make {target}, entered by nobody but you",
            f"make {len(layout.directories)} directories in {target / TREE}",
            f"write {layout.count} files ({layout.size} bytes), {whose}",
            f"make {len(layout.placeholders)} files of holes and {len(layout.links)} hard links",
            f"make {len(layout.symlinks)} symbolic links and {len(layout.fifos)} FIFOs",
            f"note {', '.join(run.id for run in runs)} for replay",
        )

    def unpack(
        self, bundle: Path, target: Path, *, progress: Progress = SILENT, sources: Sources = NO_SOURCES
    ) -> Unpacked:
        """Write the bundle's files below a new folder."""
        refuse_system()
        refuse_existing(target)
        as_root = os.geteuid() == 0
        with open_bundle(bundle) as opened:
            manifest = opened.manifest
            layout = plan_layout(opened.entries)
            contents = complete_data(opened, sources)
            with held(lambda: build_beside(target)) as folder:
                os.mkdir(folder / TREE, 0o700)
                with directories.opened(folder / TREE) as root:
                    ownership = choose_ownership(manifest.runs, as_root=as_root)
                    extract(layout, contents, root, ownership, progress=progress)
                facts = {"owners": RECORDED if as_root else CALLER}
                write_state(folder, State(NAME, opened.identity, facts), manifest)
        return Unpacked(target, tell_lost(ownership.lost))

    def open(self, target: Path) -> ChrootTarget:
        """Open a folder that ``unpack`` made."""
        state = read_state(target, NAME)
        return ChrootTarget(target, state, read_manifest(target))


def refuse_system() -> None:
    """Raise TargetError where files cannot have what a bundle's files have."""
    if not sys.platform.startswith("linux"):
        raise TargetError("the chroot unpacker works on Linux only; use the docker unpacker here")


def refuse_unexecutable(tree: bytes) -> None:
    """Raise TargetError when the target lies where the system executes nothing."""
    try:
        flags = os.statvfs(tree).f_flag
    except OSError as error:
        raise TargetError(f"cannot look at {os.fsdecode(tree)}: {error.strerror}") from None
    if flags & os.ST_NOEXEC:
        raise TargetError(f"{os.fsdecode(tree)} is on a file system mounted noexec; unpack the bundle elsewhere")


UNPACKER = ChrootUnpacker()
