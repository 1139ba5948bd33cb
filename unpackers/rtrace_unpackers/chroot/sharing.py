"""Make a throw-away chroot target of a tree in the cache: the files are shared, and what is changed lies apart.

TARGET/
  root/            empty: where a replay mounts the overlay
  changes/upper/   what the replay gets as its own, and what it changes
  changes/work/    the kernel's
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace.bundle.protocol import OpenBundle
from rtrace.debugging import debug
from rtrace.elsewhere.sources import Sources, complete_data
from rtrace.errors import BundleError, ForeignError, TargetError
from rtrace.files.folders import directory_flags
from rtrace.files.locks import LOCK_FILE, open_lock_file
from rtrace.files.removing import remove_below
from rtrace.files.workspaces import Workspace
from rtrace.opening import open_bundle
from rtrace.progress import Progress
from rtrace.replay.cache_place import choose_limit, find_place, open_place
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.cache.own import Own, choose_own
from rtrace_unpackers.cache.trees import (
    ROOT,
    Held,
    finish_tree,
    hold_tree,
    is_whole,
    list_trees,
    make_room,
    remove_tree,
)
from rtrace_unpackers.chroot.owners import Owners, choose_owners
from rtrace_unpackers.chroot.state_words import CHANGES, EXACT, NAME, SHARED, TREE
from rtrace_unpackers.files.descent import open_regular
from rtrace_unpackers.files.extraction import extract
from rtrace_unpackers.files.layout import Layout, plan_layout
from rtrace_unpackers.files.xattr_setting import tell_lost
from rtrace_unpackers.isolation.kernel.overlays import HIDING_ALL, UPPER, WORK
from rtrace_unpackers.isolation.users.layers import opened_layers
from rtrace_unpackers.isolation.users.trying import find_problem
from rtrace_unpackers.target.making import Material
from rtrace_unpackers.target.placement import building, refuse_existing

PART = 1 << 20
UNPACKING = 1
"""Counted up when the same bundle unpacks to another tree."""
BLOCK = 4096
"""Bytes that a file takes on a disk at least, as an estimate."""


class NotSharedError(Exception):
    """Why a target gets a tree of its own, all the same."""


def make_shared(bundle: Path, target: Path, progress: Progress, sources: Sources) -> tuple[Unpacked, Held] | None:
    """Make a target of a tree in the cache, which is made first where it is not there.

    Return also the tree, which the caller lets go of. None where none can be shared, and why is only debugging: then
    nothing was made. Raises BundleError and TargetError.
    """
    refuse_existing(target)
    folder = open_place(make=True)
    if folder is None:
        return None
    try:
        with open_bundle(bundle) as opened:
            return Sharing(opened, folder, choose_owners(folder), progress, sources).make(target)
    except NotSharedError as why:
        debug(__name__, "%s is not shared: %s", bundle, why)
        return None
    finally:
        os.close(folder)


class Sharing:
    """A bundle on its way to a target whose files lie in the cache."""

    def __init__(self, opened: OpenBundle, folder: int, owners: Owners, progress: Progress, sources: Sources) -> None:
        self.opened = opened
        self.folder = folder
        self.owners = owners
        self.progress = progress
        self.sources = sources
        self.place = find_place()
        self.path = self.place / f"{opened.identity}-{UNPACKING}-{owners.word}"
        self.ownership = owners.make_ownership(opened.manifest.runs)

    def make(self, target: Path) -> tuple[Unpacked, Held]:
        """Make the target. Raises NotSharedError where that cannot be."""
        if not self.opened.keeps_digests:
            raise NotSharedError("its identity does not say what its files have to be")
        with ExitStack() as stack, building(target) as workspace:
            make_folders(workspace, self.owners)
            tried = self.describe_place(workspace)
            held = self.find()
            if held is None or held.facts.tried != tried:
                self.refuse_without_overlays(workspace)
            held = held or self.fill(tried)
            stack.callback(held.release)
            try:
                own = held.read_own()
                self.give_own(own, held, workspace)
            except (OSError, ForeignError, BundleError) as error:
                raise NotSharedError(str(error)) from None
            material = Material(self.opened.manifest, self.opened.identity, (), plan_layout(()))
            facts = {**self.owners.facts, SHARED: os.fspath(held.path), EXACT: "yes" if own.is_exact else "no"}
            material.note(workspace, NAME, facts)
            stack.pop_all()
        made = material.conclude(target, tell_lost(self.ownership.lost))
        return Unpacked(made.target, made.notes, made.incomplete, is_exact=own.is_exact), held

    def describe_place(self, workspace: Workspace) -> str:
        """Return what decides whether an overlay works: the system, and the file systems of cache and target."""
        devices = (os.fstat(folder).st_dev for folder in (self.folder, workspace.descriptor))
        return " ".join((os.uname().release, *map(str, devices)))

    def refuse_without_overlays(self, workspace: Workspace) -> None:
        """Raise NotSharedError where no overlay of the cache can be mounted, or one that would behave otherwise."""
        file = open_lock_file(self.folder, create=True)  # a file to try it with
        if file is None:
            raise NotSharedError("its folder cannot be written to")
        os.close(file)
        if os.fstatvfs(self.folder).f_flag & os.ST_NOEXEC or os.fstatvfs(workspace.descriptor).f_flag & os.ST_NOEXEC:
            raise NotSharedError("nothing is executed there")
        with opened_layers(os.dup(self.folder), workspace.descriptor, CHANGES, TREE) as layers:
            problem = find_problem(layers, self.owners.choose_access(self.opened.manifest.runs[0]), LOCK_FILE)
            remove_below(layers.upper)
        if problem is not None:
            raise NotSharedError(f"no overlay: {problem}")

    def find(self) -> Held | None:
        """Find the tree, and look whether it was changed by somebody; then it is removed."""
        held = hold_tree(self.path)
        if held is not None:
            if held.facts.identity == self.opened.identity and is_whole(held):
                return held
            held.release()
        if os.path.lexists(self.path):
            debug(__name__, "%s was changed, or is another version's: it is made anew", self.path)
            try:
                is_gone = remove_tree(self.path)
            except TargetError as error:
                raise NotSharedError(str(error)) from None
            if not is_gone:
                raise NotSharedError("the tree was changed, and is in use")
        return None

    def fill(self, tried: str) -> Held:
        """Unpack the bundle into the cache."""
        entries = self.opened.entries
        layout = plan_layout(entries)
        own = choose_own(layout, self.opened.results, self.ownership)
        if own is None:
            raise NotSharedError(
                "its runs change too much of it, or it has attributes that an overlay takes for its own"
            )
        room = layout.room + BLOCK * (layout.count + len(layout.directories))
        used = sum(tree.facts.room for tree in list_trees(self.place, self.folder))
        if not make_room(self.place, self.folder, room, choose_limit(self.folder, used)):
            raise NotSharedError("the cache is too small for it")
        try:
            self.unpack(layout, own, tried)
        except TargetError as error:  # another process may have been faster
            debug(__name__, "%s", error)
        held = hold_tree(self.path)
        if held is None:
            raise NotSharedError("it could not be unpacked in the cache")
        return held

    def unpack(self, layout: Layout, own: Own, tried: str) -> None:
        """Write all files of the bundle into the cache. Raises BundleError and TargetError."""
        with building(self.path) as workspace:
            os.mkdir(ROOT, 0o700, dir_fd=workspace.descriptor)
            root = os.open(ROOT, directory_flags(), dir_fd=workspace.descriptor)
            try:
                contents = complete_data(self.opened, self.sources)
                extract(layout, contents, root, self.ownership, progress=self.progress)
            finally:
                os.close(root)
            finish_tree(workspace, self.opened.identity, self.opened.path.name, own, tried)

    def give_own(self, own: Own, held: Held, workspace: Workspace) -> None:
        """Copy what a replay gets as its own out of the tree. Raises NotSharedError and OSError."""
        layout = plan_layout(own.entries)
        with opened_layers(held.open_root(), workspace.descriptor, CHANGES, TREE) as layers:
            extract(layout, read_files(layout, layers.lower), layers.upper, self.ownership)
        if any(name == HIDING_ALL.encode() for _, name in self.ownership.lost):
            raise NotSharedError("attributes cannot be set there")


def make_folders(workspace: Workspace, owners: Owners) -> None:
    """Make the folders of a target without files; what is changed belongs to the replay's root."""
    for name, mode in ((TREE, 0o755), (CHANGES, 0o700), (f"{CHANGES}/{UPPER}", 0o755), (f"{CHANGES}/{WORK}", 0o700)):
        os.mkdir(name, mode, dir_fd=workspace.descriptor)
        os.chmod(name, mode, dir_fd=workspace.descriptor)
        if owners.shift and name != TREE:
            os.chown(name, owners.shift, owners.shift, dir_fd=workspace.descriptor)


def read_files(layout: Layout, tree: int) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """Yield the files of a layout, with the parts of their contents, out of an open tree. Raises OSError."""
    for entry in layout.files:
        descriptor = open_regular(tree, entry.path)
        with open(descriptor, "rb", buffering=0) as file:
            yield entry, iter(lambda file=file: file.read(PART), b"")  # type: ignore[misc]
