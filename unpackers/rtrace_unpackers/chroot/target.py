"""A chroot target: replayed in namespaces, looked into, removed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rtrace.bundle.entry import Entry
from rtrace.errors import TargetError
from rtrace.files.folders import directory_flags
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Manifest, Run
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.protocol import OWN_STREAMS, Expected, Outcome, Snapshot, Stamp, Streams
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.chroot.state_words import MADE, RECORDED, SHIFTED, TREE
from rtrace_unpackers.files.descent import exists_in
from rtrace_unpackers.files.walking import open_accessible
from rtrace_unpackers.isolation.planning.isolation_plan import plan_isolation
from rtrace_unpackers.isolation.running.replay import replay
from rtrace_unpackers.isolation.users.access import Access
from rtrace_unpackers.isolation.users.ids import Maps
from rtrace_unpackers.isolation.users.in_namespace import reclaim, run_inside
from rtrace_unpackers.isolation.users.layers import Layers
from rtrace_unpackers.isolation.users.rights import (
    acts_as_root,
    choose_for_root,
    choose_for_user,
    find_shift,
    map_all_subordinates,
)
from rtrace_unpackers.target.removal import remove_target
from rtrace_unpackers.target.state import State

Answer = TypeVar("Answer")


class ChrootTarget:
    """A folder with the bundle's files. It belongs to one user, and nobody else can enter it."""

    own_files = TREE
    """The folder with files that replays may give to other users."""

    def __init__(self, folder: TargetFolder, state: State, manifest: Manifest) -> None:
        self.folder = folder
        self.state = state
        self.manifest = manifest

    @property
    def path(self) -> Path:
        """The folder, as the caller named it."""
        return self.folder.path

    @property
    def tree(self) -> Path:
        """The folder that is the root directory of a replay."""
        return self.path / TREE

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
        """Replay a run in namespaces; what it writes stays in the tree. The target is locked meanwhile."""
        with self.folder.lock(), self.opened_tree() as tree:
            files = tree.lower if isinstance(tree, Layers) else tree
            refuse_unexecutable(files, self.folder.shown)
            isolation = plan_isolation(
                run,
                self.choose_access(run),
                allow_network=grants.network,
                allowed=grants.calls,
                shared_memory=limits.memory,
                keeps_shared_memory=exists_in(files, SHARED_MEMORY),
                is_layered=isinstance(tree, Layers),
            )
            return replay(isolation, tree, run.id, streams, limits)

    @contextlib.contextmanager
    def opened_tree(self) -> Iterator[int | Layers]:
        """Yield a descriptor of the folder that is a replay's root directory, or its layers. Raises TargetError."""
        with contextlib.ExitStack() as stack:
            try:
                tree = stack.enter_context(self.folder.opened(TREE))
            except OSError as error:
                raise TargetError(
                    f"the target {self.folder.shown} is damaged: its folder {TREE} cannot be opened "
                    f"({error.strerror}); unpack the bundle again into another folder"
                ) from None
            yield tree

    def list_others(self) -> Maps | None:
        """Return the users of whom a user's replay may have been; None where it was of nobody but this one."""
        return None if acts_as_root() else map_all_subordinates()

    def choose_access(self, run: Run) -> Access:
        """Return whose rights a replay has on the files: they are owned as recorded, as shifted, or by one user."""
        owners = self.state.facts.get("owners")
        as_root = acts_as_root()
        if owners not in {RECORDED, SHIFTED}:
            if as_root:
                raise TargetError(f"{self.folder.shown} was unpacked by a user; unpack the bundle again as root")
            return choose_for_user(run)
        if not as_root:
            raise TargetError(
                f"{self.folder.shown} was unpacked by root; replay it as root, or unpack the bundle yourself"
            )
        return choose_for_root(run, shift=self.read_shift() if owners == SHIFTED else None)

    def read_shift(self) -> int:
        """Return where the ids of the files begin. Raises TargetError when that cannot be."""
        shift = self.state.facts.get("shift", "")
        if not shift.isdigit() or int(shift) != find_shift():
            raise TargetError(
                f"{self.folder.shown} was unpacked where root has other users to give away; "
                "unpack the bundle again into another folder"
            )
        return int(shift)

    def inspect(self, paths: Expected, packed: Iterable[Entry]) -> Snapshot:
        """Return what is in the tree."""
        from rtrace_unpackers.target.snapshot import take_snapshot

        try:
            with self.folder.lock():
                return self.look(lambda root: take_snapshot(root, paths, packed))
        except OSError as error:
            raise TargetError(f"cannot look into {self.folder.shown}/{TREE}: {error.strerror}") from None

    def look(self, work: Callable[[int], Answer]) -> Answer:
        """Return what a function returns for the open tree. Raises OSError."""
        root, mode = open_accessible(TREE.encode(), self.folder.descriptor)
        try:
            return run_inside(self.list_others(), lambda: work(root))
        finally:
            if mode is not None:
                os.fchmod(root, mode)
            os.close(root)

    def stamp(self, paths: Collection[bytes]) -> Mapping[bytes, Stamp]:
        """Return inode and time of the last change of files of the tree: no program can set the latter."""
        from rtrace_unpackers.target.snapshot import stamp_files

        with self.folder.lock():
            return self.look(lambda tree: stamp_files(tree, paths))

    def destroy(self) -> None:
        """Remove the folder; there is nothing elsewhere, for mounts live in a replay's namespaces alone."""
        others = self.list_others()
        if others is not None:
            with self.folder.lock():
                self.reclaim_tree(others)
        remove_target(self.folder, MADE)

    def reclaim_tree(self, others: Maps) -> None:
        """Give all files of the tree back to the user, if there is a tree."""
        try:
            tree = os.open(self.own_files, directory_flags(), dir_fd=self.folder.descriptor)
        except OSError:  # ENOENT; ENOTDIR, ELOOP: a symlink, say, in its place, which is removed as it is
            return
        try:
            run_inside(others, lambda: reclaim(tree, others))
        finally:
            os.close(tree)


def refuse_unexecutable(tree: int, name: str) -> None:
    """Raise TargetError when the target lies where the system executes nothing."""
    if os.fstatvfs(tree).f_flag & os.ST_NOEXEC:
        raise TargetError(f"{name} is on a file system mounted noexec; unpack the bundle elsewhere")
