"""A throw-away chroot target whose files lie in the cache: replayed in an overlay, looked into as it shows them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from rtrace.bundle.entry import Entry
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.manifest.model import Manifest
from rtrace.progress import SILENT, Progress
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.cache.trees import Held, hold_tree
from rtrace_unpackers.chroot.exchanging import receive
from rtrace_unpackers.chroot.merged import explain, hand_over, put_file
from rtrace_unpackers.chroot.state_words import CHANGES, SHARED, SHIFTED, TREE
from rtrace_unpackers.chroot.target import ChrootTarget
from rtrace_unpackers.files.ownership import choose_ownership
from rtrace_unpackers.isolation.kernel.overlays import ROOT
from rtrace_unpackers.isolation.users.layers import Layers, opened_layers, run_merged
from rtrace_unpackers.isolation.users.rights import acts_as_root
from rtrace_unpackers.target.state import State

Answer = TypeVar("Answer")


class SharedTarget(ChrootTarget):
    """A target that keeps what its replays change, and shares all else. The tree cannot be removed meanwhile."""

    own_files = CHANGES

    def __init__(self, folder: TargetFolder, state: State, manifest: Manifest, held: Held | None) -> None:
        super().__init__(folder, state, manifest)
        self.held = held

    @contextlib.contextmanager
    def opened_tree(self) -> Iterator[Layers]:
        """Yield the tree in the cache with the target's own folders. Raises TargetError."""
        if self.held is None:
            self.held = hold_tree(Path(self.state.facts[SHARED]))
        if self.held is None:
            raise TargetError(
                f"the files of {self.folder.shown} are not in the cache any more; unpack the bundle again into another "
                "folder"
            )
        with contextlib.ExitStack() as stack:
            try:
                root = self.held.open_root()
                layers = stack.enter_context(opened_layers(root, self.folder.descriptor, CHANGES, TREE))
            except OSError as error:
                raise TargetError(
                    f"the target {self.folder.shown} is damaged: a folder of it cannot be opened ({error.strerror}); "
                    "unpack the bundle again into another folder"
                ) from None
            yield layers

    def look(self, work: Callable[[int], Answer]) -> Answer:
        """Return what a function returns for the root of an overlay as a replay has it. Raises OSError."""

        def work_in(folder: int) -> Answer:
            return work(os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder))

        with self.opened_tree() as layers:
            return run_merged(layers, self.list_others(), work_in, as_root=acts_as_root())

    def put(self, entry: Entry, content: BinaryIO) -> None:
        """Put a regular file at an entry's path, among the target's own files."""
        shift = self.read_shift() if self.state.facts.get("owners") == SHIFTED else 0
        ownership = choose_ownership(self.manifest.runs, as_root=acts_as_root(), shift=shift)
        others = self.list_others()
        owner = None if others is None else (others.users.extents[0].inside, others.groups.extents[0].inside)
        try:
            with self.folder.lock():
                self.look(lambda root: put_file(root, entry, content, ownership, owner))
        except OSError as error:
            raise explain(error, "put", entry.path) from None

    def fetch(self, path: bytes, into: BinaryIO) -> None:
        """Copy the content of a regular file, as the overlay shows it."""
        ours, childs = socket.socketpair()
        with ours, childs:
            try:
                with self.folder.lock():
                    self.look(lambda root: hand_over(root, path, childs))
            except OSError as error:
                raise explain(error, "fetch", path) from None
            receive(ours, into)

    def reset(self, bundle: Path, *, progress: Progress = SILENT, sources: Sources = NO_SOURCES) -> None:  # noqa: ARG002
        """Refuse: who makes a throw-away target makes another one."""
        raise TargetError(f"{self.folder.shown} shares its files with other targets; make another one instead")

    def destroy(self) -> None:
        """Remove the target's own folder, and let go of the tree."""
        super().destroy()
        if self.held is not None:
            self.held.release()
            self.held = None
