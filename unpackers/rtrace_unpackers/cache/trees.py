"""The trees of the cache: found, made, listed and removed. Whoever uses one has locked it, shared with others."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace.bundle.index.dumping import dump_entry
from rtrace.bundle.index.lines import load_entries
from rtrace.debugging import debug
from rtrace.errors import BusyError, ForeignError, TargetError
from rtrace.files.folders import directory_flags, open_parent, read_own, refuse_others, write_new
from rtrace.files.locks import Lock, lock_folder
from rtrace.files.workspaces import Workspace
from rtrace.printable import printable
from rtrace.replay.cache_place import find_place, open_place
from rtrace.replay.protocol import Cached
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.cache.own import Own
from rtrace_unpackers.cache.seal import seal_tree
from rtrace_unpackers.target.removal import remove_target

TREE_FORMAT = 1
TREE_FILE, OWN_FILE, ROOT = "rtrace-tree.json", "own.jsonl", "root"
MADE = (TREE_FILE, f"{TREE_FILE}.new", OWN_FILE, f"{OWN_FILE}.new", ROOT)
STATE_LIMIT, OWN_LIMIT = 1 << 20, 256 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a tree says of itself: the bundle by identity and name, whether overlays are exact, and its seal.

    ``tried`` says with what system and where an overlay of it was found to work.
    """

    identity: str
    name: str
    exact: bool
    files: int
    room: int
    sum: int
    tried: str
    format: int = TREE_FORMAT


@dataclass(frozen=True, slots=True)
class Held:
    """A tree in use: its path, its open folder, its lock, and what it says."""

    path: Path
    folder: int
    lock: Lock
    facts: Facts

    def open_root(self) -> int:
        """Return a descriptor of the files. Raises OSError."""
        return os.open(ROOT, directory_flags(), dir_fd=self.folder)

    def read_own(self) -> Own:
        """Return what each replay gets a copy of. Raises BundleError, ForeignError and OSError when it is not there."""
        return Own(load_entries([read_own(self.folder, OWN_FILE, OWN_LIMIT)]), self.facts.exact)

    def release(self) -> None:
        """Let go of it: it may be removed now."""
        self.lock.release()
        os.close(self.folder)


@dataclass(frozen=True, slots=True)
class Listed:
    """A tree of the list: its path, what it says, and when it was used last, in seconds since the Epoch."""

    path: Path
    facts: Facts
    used: float


def hold_tree(path: Path) -> Held | None:
    """Find a tree and lock it against removal; None where there is none that can be used.

    It is not looked at whether its files were changed: see `is_whole`.
    """
    try:
        parent, name = open_parent(path)
        try:
            folder = os.open(name, directory_flags(), dir_fd=parent)
        finally:
            os.close(parent)
    except (OSError, ForeignError):  # ENOENT; ELOOP, ENOTDIR: something else
        return None
    try:
        refuse_others(folder, path)
        lock = lock_folder(folder, printable(os.fsencode(path)), shared=True)
        try:
            facts = read_facts(folder)
            os.utime(TREE_FILE, dir_fd=folder)
            if os.path.samestat(os.fstat(folder), os.lstat(path)):  # else it was set aside to be removed
                return Held(path, folder, lock, facts)
        except BaseException:
            lock.release()
            raise
        lock.release()
    except (OSError, ForeignError, BusyError, ValueError) as error:
        debug(__name__, "%s cannot be used: %s", path, error)
    os.close(folder)
    return None


def read_facts(folder: int) -> Facts:
    """Read what a tree says of itself. Raises ValueError where it is not understood, ForeignError and OSError."""
    match json.loads(read_own(folder, TREE_FILE, STATE_LIMIT)):
        case {
            "identity": str(identity),
            "name": str(name),
            "exact": bool(exact),
            "files": int(files),
            "room": int(room),
            "sum": int(total),
            "tried": str(tried),
            "format": 1,
        }:
            return Facts(identity, name, exact, files, room, total, tried)
    raise ValueError(TREE_FILE)


def is_whole(held: Held) -> bool:
    """Whether all files of a tree are as they were when it was made."""
    began = time.monotonic()
    try:
        root = held.open_root()
        try:
            seal = seal_tree(root)
        finally:
            os.close(root)
    except OSError as error:
        debug(__name__, "%s: %s", held.path, error)
        return False
    debug(__name__, "looked at %d files of %s in %.3f s", seal.files, held.path, time.monotonic() - began)
    return (seal.files, seal.sum) == (held.facts.files, held.facts.sum)


def finish_tree(workspace: Workspace, identity: str, name: str, own: Own, tried: str) -> None:
    """Seal the files of a tree in the making, and write what it says. Raises OSError."""
    root = os.open(ROOT, directory_flags(), dir_fd=workspace.descriptor)
    try:
        seal = seal_tree(root)
    finally:
        os.close(root)
    write_new(workspace.descriptor, OWN_FILE, "".join(map(dump, own.entries)).encode("utf-8", "surrogateescape"))
    facts = Facts(identity, name, own.is_exact, seal.files, seal.room, seal.sum, tried)
    write_new(workspace.descriptor, TREE_FILE, (json.dumps(asdict(facts), sort_keys=True) + "\n").encode())


def dump(entry: Entry) -> str:
    """Return the line of an entry."""
    return dump_entry(entry, entry.size, entry.sha256, entry.offset)


def list_trees(place: Path, folder: int) -> Sequence[Listed]:
    """Return the trees in the open folder of all trees, the one first that was not used for longest."""
    found = []
    for name in os.listdir(folder):
        with contextlib.suppress(OSError, ForeignError, ValueError):  # something else, or one in the making
            below = os.open(name, directory_flags(), dir_fd=folder)
            try:
                if not name.startswith("."):
                    found.append(Listed(place / name, read_facts(below), os.stat(TREE_FILE, dir_fd=below).st_mtime))
            finally:
                os.close(below)
    return sorted(found, key=lambda one: (one.used, one.path))


def list_cached() -> Sequence[Cached]:
    """Return the trees as a person is told of them; none where there is no cache."""
    folder = open_place(make=False)
    if folder is None:
        return ()
    try:
        return tuple(
            Cached(one.path, one.facts.identity, one.facts.name, one.facts.room, one.used)
            for one in list_trees(find_place(), folder)
        )
    finally:
        os.close(folder)


def remove_tree(path: Path) -> bool:
    """Remove a tree, and return whether it is gone: one that is in use stays. Raises TargetError."""
    try:
        opened = TargetFolder(path)
    except TargetError:
        if os.path.lexists(path):
            raise
        return True  # somebody else has removed it
    try:
        remove_target(opened, MADE)
    except BusyError:
        return False
    finally:
        opened.close()
    return True


def make_room(place: Path, folder: int, room: int, limit: int, kept: Collection[Path] = ()) -> bool:
    """Remove what was not used for longest until there is room for another tree; return whether there is then."""
    trees = list_trees(place, folder)
    used = sum(tree.facts.room for tree in trees)
    if room > limit:
        return False
    pending = (tree for tree in trees if tree.path not in kept)
    while used + room > limit:
        tree = next(pending, None)
        if tree is None:
            return False
        is_gone = remove_tree(tree.path)
        debug(__name__, "%s: %s", "removed" if is_gone else "in use", tree.path)
        used -= tree.facts.room * is_gone
    return True
