"""A chroot target: replayed in namespaces, looked into, removed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from rtrace.bundle.entry import Entry
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.files.folders import directory_flags
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Manifest, Run
from rtrace.progress import SILENT, Progress
from rtrace.replay.foreign import refuse_without_emulator
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.protocol import OWN_STREAMS, Expected, Outcome, Snapshot, Stamp, Streams
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.chroot.opening import open_granted, tell_opened
from rtrace_unpackers.chroot.refused import find_refusal
from rtrace_unpackers.chroot.state_words import MADE, RECORDED, SHIFTED, TREE, TREE_NEW, TREE_OLD
from rtrace_unpackers.files.descent import exists_in
from rtrace_unpackers.files.ownership import Ownership, choose_ownership
from rtrace_unpackers.files.walking import open_accessible
from rtrace_unpackers.granted.listening import listening
from rtrace_unpackers.isolation.planning.isolation_plan import AS_IT_IS, plan_isolation
from rtrace_unpackers.isolation.running.replay import replay
from rtrace_unpackers.isolation.users.access import Access
from rtrace_unpackers.isolation.users.ids import Maps
from rtrace_unpackers.isolation.users.in_namespace import reclaim_all, run_inside
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

if TYPE_CHECKING:  # a replay that is not frozen does not load it
    from rtrace.freezing.model import Freeze
    from rtrace_unpackers.isolation.running.freezer import Frozen

Answer = TypeVar("Answer")


class ChrootTarget:
    """A folder with the bundle's files. It belongs to one user, and nobody else can enter it."""

    made: tuple[str, ...] = MADE
    """All names that are ever in it."""
    own_files = TREE
    """The folder with files that replays may give to other users."""

    def __init__(self, folder: TargetFolder, state: State, manifest: Manifest) -> None:
        self.folder = folder
        self.state = state
        self.manifest = manifest
        self.mended: tuple[str, ...] = ()

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
        return self.replay(run, streams, limits, grants, None)

    def replay(self, run: Run, streams: Streams, limits: Limits, grants: Grants, frozen: Frozen | None) -> Outcome:
        """Replay a run, frozen or as it is."""
        access = self.choose_access(run)
        if self.is_traced():
            return self.run_traced(run, streams, limits, grants)
        refuse_without_emulator(run)
        opened = open_granted(grants, access)
        with self.using(), self.opened_tree() as tree, listening(grants.ports) as listeners:
            files = tree.lower if isinstance(tree, Layers) else tree
            refuse_unexecutable(files, self.folder.shown)
            isolation = plan_isolation(
                run,
                access,
                opened=opened,
                allowed=grants.calls,
                shared_memory=limits.memory,
                keeps_shared_memory=exists_in(files, SHARED_MEMORY),
                is_layered=isinstance(tree, Layers),
                frozen=AS_IT_IS if frozen is None else frozen.plan(),
            )
            outcome = replay(isolation, tree, run.id, streams, limits, listeners, frozen=frozen)
        return replace(outcome, notes=(*outcome.notes, *tell_opened(opened)))

    def find_unpinned(self) -> str | None:
        """Return what cannot be pinned here."""
        from rtrace.freezing.calls import NUMBERS
        from rtrace.linux.interfaces import own_interface
        from rtrace.replay.frozen import BY_VARIABLES

        return BY_VARIABLES if self.is_traced() or own_interface() not in NUMBERS else None

    def run_frozen(
        self,
        run: Run,
        freeze: Freeze,
        *,
        streams: Streams = OWN_STREAMS,
        limits: Limits = DEFAULT_LIMITS,
        grants: Grants = NOTHING,
        told: int | None = None,
    ) -> Outcome:
        """Replay a run whose calls are answered with what is pinned."""
        from rtrace.freezing.calls import make_filter
        from rtrace_unpackers.isolation.running.freezer import Frozen

        if self.find_unpinned() is not None:
            return self.run(run, streams=streams, limits=limits, grants=grants)
        frozen = Frozen(
            freeze, make_filter(traced=False), run.system[1].encode("utf-8", "surrogateescape") or None, told
        )
        return self.replay(run, streams, limits, grants, frozen)

    def run_traced(self, run: Run, streams: Streams, limits: Limits, grants: Grants) -> Outcome:
        """Replay a run under proot."""
        from rtrace_unpackers.proot.running import run_traced

        with self.using(), self.opened_tree() as tree:
            if isinstance(tree, Layers):
                raise TargetError(f"{self.folder.shown} shares its files, which proot cannot; unpack the bundle again")
            refuse_unexecutable(tree, self.folder.shown)
            return run_traced(run, tree, streams, limits, grants)

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Lock the target while the block lasts, and put in order what a killed process left. Raises BusyError."""
        from rtrace_unpackers.chroot.resetting import mend_tree

        with self.folder.lock():
            try:
                self.mended += mend_tree(self.folder.descriptor, self.list_others)
            except OSError as error:
                raise TargetError(
                    f"cannot remove what a killed process left in {self.folder.shown}: {error.strerror}; "
                    "mend that, and try again"
                ) from None
            yield

    def mend(self) -> Sequence[str]:
        """Put in order what a killed process left, and tell what it was."""
        with self.using():
            found, self.mended = self.mended, ()
        return found

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
        others = None if acts_as_root() else map_all_subordinates()
        return others if others is not None and find_refusal() is None else None

    def is_traced(self) -> bool:
        """Whether a replay takes place under proot: a user's, where namespaces are refused and proot works."""
        if os.geteuid() == 0 or find_refusal() is None:
            return False
        from rtrace_unpackers.proot.finding import find_problem

        return find_problem() is None

    def caution(self) -> str | None:
        """Return what is to be told before a replay, where that is not isolated."""
        if not self.is_traced():
            return None
        from rtrace_unpackers.proot.dangers import WARNING

        return WARNING

    def choose_access(self, run: Run) -> Access:
        """Return whose rights a replay has on the files: they are owned as recorded, as shifted, or by one user."""
        if not self.is_roots():
            return choose_for_user(run)
        return choose_for_root(run, shift=self.read_shift() if self.state.facts.get("owners") == SHIFTED else None)

    def choose_ownership(self) -> Ownership:
        """Return whose a file of the tree is to be, as when the bundle was unpacked."""
        shift = self.read_shift() if self.state.facts.get("owners") == SHIFTED else 0
        return choose_ownership(self.manifest.runs, as_root=self.is_roots(), shift=shift)

    def is_roots(self) -> bool:
        """Whether root unpacked it. Raises TargetError where that was somebody else than who uses it now."""
        unpacked_by_root, as_root = self.state.facts.get("owners") in {RECORDED, SHIFTED}, acts_as_root()
        if as_root and not unpacked_by_root:
            raise TargetError(f"{self.folder.shown} was unpacked by a user; unpack the bundle again as root")
        if unpacked_by_root and not as_root:
            raise TargetError(
                f"{self.folder.shown} was unpacked by root; use it as root, or unpack the bundle yourself"
            )
        return as_root

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
            with self.using():
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

        with self.using():
            return self.look(lambda tree: stamp_files(tree, paths))

    def put(self, entry: Entry, content: BinaryIO) -> None:
        """Put a file into the tree, owned as the others are. The target is locked meanwhile."""
        from rtrace_unpackers.chroot.exchanging import put_file

        ownership = self.choose_ownership()
        with self.using():
            put_file(self.folder.descriptor, entry, content, ownership, self.list_others())

    def fetch(self, path: bytes, into: BinaryIO) -> None:
        """Copy a file out of the tree."""
        from rtrace_unpackers.chroot.exchanging import fetch_file

        with self.using():
            fetch_file(self.folder.descriptor, path, into, self.list_others())

    def reset(self, bundle: Path, *, progress: Progress = SILENT, sources: Sources = NO_SOURCES) -> None:
        """Write the bundle's files beside the tree, and put them in its place."""
        from rtrace_unpackers.chroot.resetting import reset_tree

        ownership, others = self.choose_ownership(), self.list_others()
        with self.using():
            reset_tree(self.folder, bundle, self.state.bundle, ownership, others, progress, sources, self.complete_tree)

    def complete_tree(self, root: int) -> None:
        """Add what is in a new tree besides the bundle's files; its root is open."""

    def destroy(self) -> None:
        """Remove the folder; there is nothing elsewhere, for mounts live in a replay's namespaces alone."""
        others = self.list_others()
        if others is not None:
            with self.folder.lock():
                self.reclaim_tree(others)
        remove_target(self.folder, self.made)

    def reclaim_tree(self, others: Maps) -> None:
        """Give all files of the tree back to the user, if there is a tree, and those that a killed reset left."""
        for name in (self.own_files, TREE_NEW, TREE_OLD):
            try:
                tree = os.open(name, directory_flags(), dir_fd=self.folder.descriptor)
            except OSError:  # ENOENT; ENOTDIR, ELOOP: a symlink, say, in its place, which is removed as it is
                continue
            try:
                reclaim_all(tree, others)
            finally:
                os.close(tree)


def refuse_unexecutable(tree: int, name: str) -> None:
    """Raise TargetError when the target lies where the system executes nothing."""
    if os.fstatvfs(tree).f_flag & os.ST_NOEXEC:
        raise TargetError(f"{name} is on a file system mounted noexec; unpack the bundle elsewhere")
