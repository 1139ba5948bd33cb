"""The books of one run: what was at each path before, who used it how, and the copies of what was changed.

A file that is only renamed is not copied: its content is where it went. It is followed there by its inode, and copied
when it is about to be changed or removed under its new name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from typing import NamedTuple

from rtrace.capture.books.journal import Journal
from rtrace.capture.books.rows import FACTS
from rtrace.capture.books.snapshots import SnapshotLimitError, SnapshotTaker
from rtrace.capture.books.unobserved import is_nothing_for_anybody
from rtrace.capture.books.walker import Walk
from rtrace.capture.processes.tracee import Process
from rtrace.files.hierarchy import SHARED_MEMORY, is_provided
from rtrace.files.stamps import keep_inode, keep_time
from rtrace.files.xattrs import read_attributes
from rtrace.printable import printable
from rtrace.trace.schema import MUTATIONS, Use

TYPE_NAMES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
}
NOTHING = (None,) * (len(FACTS) - 3)
"""The facts of a path where nothing is, after its run, itself and the time."""
USE_BITS = 13
MUTATION_BITS = int(MUTATIONS)
METADATA, UNREAD, KEPT = int(Use.METADATA), int(Use.UNREAD), int(Use.KEPT)
CONTENT_BITS, FROM_NOTHING = int(Use.READ | Use.EXECUTE | Use.WRITE), int(Use.CREATE | Use.TRUNCATE)
OWN_LINKS = 2
"""Links that a folder has by itself: its name, and the dot in it."""
MOST_FOLDERS = 1000
"""Folders in one that are noted for the sake of its link count."""


def identify(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return what tells a file from another one, and from what it is once it was written to."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class PathState:
    """One path in one run. ``settled`` says that its content before the run is safe, whatever is done to it now.

    ``inode`` is that of its file as it was before, None while the file has no other name that is known of. ``needed``
    says that the run used the content of what has been there; ``discarded`` what is about to go without that.
    """

    __slots__ = (
        "attributed",
        "discarded",
        "existed",
        "id",
        "inode",
        "listed",
        "mutated",
        "needed",
        "path",
        "settled",
    )

    def __init__(self, identity: int, path: bytes, *, existed: bool) -> None:
        """Begin untouched; what did not exist before the run has nothing to keep."""
        self.id = identity
        self.path = path
        self.existed = existed
        self.settled = not existed
        self.attributed = not existed
        self.listed = False
        self.mutated = False
        self.needed = False
        self.discarded: Discarded | None = None
        self.inode: tuple[int, int] | None = None


class Discarded(NamedTuple):
    """A file that a call is about to remove or replace unread: what it is, and whose content it was before the run."""

    identity: tuple[int, int, int, int]
    owners: list[PathState]


Uses = list[tuple[PathState, int]]
"""Paths, and how they are used."""


class Ledger:
    """Everything known about the paths of one run; turns first touches and changes into rows."""

    def __init__(self, journal: Journal, run: int, snapshots: SnapshotTaker, ids: dict[bytes, int]) -> None:
        """Write through ``journal``; ``snapshots`` takes the copies; ``ids`` are the paths of earlier runs."""
        self.journal = journal
        self.run = run
        self.snapshots = snapshots
        self.states: dict[bytes, PathState] = {}
        self.ids = ids
        self.next_id = max(ids.values(), default=0) + 1
        self.linked: dict[tuple[int, int], list[PathState]] = {}
        self.copies: dict[tuple[int, int], tuple[str | None, str | None]] = {}
        self.served: set[bytes] = set()
        self.tell_unobserved: Callable[[OSError], None] = lambda _error: None
        self.tell_of_time: Callable[[bytes], None] = lambda _path: None
        self.hidden = b""
        self.started = time.monotonic_ns()
        rows = journal.pending
        self.paths, self.facts, self.uses = rows["paths"], rows["facts"], rows["uses"]

    def begin(self) -> None:
        """Count as needed what was noted until now: the run has been given it by descriptor."""
        for state in self.states.values():
            state.needed = True

    def now(self) -> int:
        """Nanoseconds since the run began."""
        return time.monotonic_ns() - self.started

    def state(self, path: bytes, status: os.stat_result | None = None, *, missing: bool = False) -> PathState:
        """Return a path's state; at its first touch note what is there (``status``, or what lstat says now)."""
        state = self.states.get(path)
        if state is None:
            if status is None and not missing:
                status = self.look_at(path)
            state = self._first_touch(path, status)
        return state

    def look_at(self, path: bytes) -> os.stat_result | None:
        """Return what is at a path now; None when nothing is, or when nobody can look, which is told."""
        try:
            return os.lstat(path)
        except OSError as error:
            self.judge(error)
            return None

    def judge(self, error: OSError) -> None:
        """Tell what an error keeps from being noted, unless it means that nothing is there."""
        if not is_nothing_for_anybody(error):
            self.tell_unobserved(error)

    def _first_touch(self, path: bytes, status: os.stat_result | None) -> PathState:
        identity = self.ids.get(path)
        if identity is None:
            identity = self.next_id
            self.next_id += 1
            self.paths.append((identity, path))
        state = self.states[path] = PathState(identity, path, existed=status is not None)
        if status is None:
            self.facts.append((self.run, identity, self.now(), *NOTHING))
            return state
        mtime, ctime = keep_time(status.st_mtime_ns), keep_time(status.st_ctime_ns)
        if mtime != status.st_mtime_ns:
            self.tell_of_time(path)
        kind = TYPE_NAMES.get(stat.S_IFMT(status.st_mode), "char")
        target = None
        if kind == "symlink":
            try:
                target = os.readlink(path)
            except OSError as error:  # EINVAL, ENOENT: it was replaced or removed meanwhile
                if error.errno != errno.EINVAL:
                    self.judge(error)
                target = b""
        elif kind == "file" and status.st_nlink > 1:
            self._join_links(state, (status.st_dev, status.st_ino))
        self.facts.append(
            (
                *(self.run, identity, self.now()),
                *(kind, status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_size, mtime),
                *(status.st_dev, keep_inode(status.st_ino), status.st_nlink, target, ctime, status.st_blocks),
            )
        )
        return state

    def _join_links(self, state: PathState, inode: tuple[int, int]) -> None:
        """Remember which paths share a file; one met after the file was changed gets the copy taken then."""
        state.inode = inode
        self.linked.setdefault(inode, []).append(state)
        if inode in self.copies:
            state.settled = True
            self.journal.pending["snapshots"].append((self.run, state.id, *self.copies[inode]))

    def follow_content(self, process: Process, state: PathState) -> bool:
        """Keep an eye on a file that is being given another name, by which its content could be changed unseen.

        Tell whether it holds what some path held before the run, and of which there is no copy.
        """
        if not state.existed and not self.linked:
            return False
        if state.discarded is not None:
            self._look_again(process, state)
        status = self.look_at(state.path)
        if status is None or not stat.S_ISREG(status.st_mode):
            return False
        inode = (status.st_dev, status.st_ino)
        if state.existed and state.inode is None:
            self._join_links(state, inode)
        return any(not member.settled for member in self.linked.get(inode, ()))

    def use(self, process: Process, state: PathState, use: int) -> None:
        """Note that a process used a path in this way; once for each process, path and way."""
        key = state.id << USE_BITS | use
        if key not in process.uses:
            process.uses.add(key)
            self.uses.append((self.run, process.id, self.now(), state.id, use))
            if use & CONTENT_BITS and not use & FROM_NOTHING:
                state.needed = True
                if state.discarded is not None:
                    self._look_again(process, state)
            if use & MUTATION_BITS:
                state.mutated = True
                if use & METADATA and not state.attributed:
                    self._keep_attributes([state], state.path)

    def before_change(self, state: PathState) -> None:
        """Keep a file's content before it is changed or removed, when it was there before the run; once."""
        status, family = self._settle(state)
        if status is not None:
            self._keep_content(state, status, family)

    def before_loss(self, state: PathState) -> Uses:
        """Keep a file's content before it is removed or replaced from nothing, if the run has needed it until now.

        Else return the uses that say whose content from before the run is lost unread. What an earlier run knew, or
        what has a further name, counts as needed.
        """
        status, family = self._settle(state)
        if status is None:
            return []
        concerned = [state, *family]
        if status.st_nlink > 1 or any(one.needed or (self.ids and one.path in self.ids) for one in concerned):
            self._keep_content(state, status, family)
            return []
        self._keep_attributes(family, state.path)
        state.discarded = Discarded(identify(status), family)
        return [(member, UNREAD) for member in family]

    def _look_again(self, process: Process, state: PathState) -> None:
        """Keep what was about to be lost if it is still there now that it is needed: that call failed, or goes on."""
        discarded, state.discarded = state.discarded, None
        status = self.look_at(state.path)
        if status is None or discarded is None or identify(status) != discarded.identity:
            return
        self.uses.extend((self.run, process.id, self.now(), owner.id, KEPT) for owner in discarded.owners)
        self._keep_content(state, status, discarded.owners)

    def _settle(self, state: PathState) -> tuple[os.stat_result | None, list[PathState]]:
        """Find what a file is now and whose content from before the run it holds; None if that is nobody's, or safe."""
        if state.settled and not self.linked:
            return None, []
        status = self.look_at(state.path)
        if status is None:
            return None, []
        inode = (status.st_dev, status.st_ino)
        family = [member for member in self.linked.get(inode, ()) if not member.settled]
        if not state.settled and state.inode is None:
            family.append(state)
        for member in family:
            member.settled = True
        return (status if family and stat.S_ISREG(status.st_mode) else None), family

    def _keep_content(self, state: PathState, status: os.stat_result, family: list[PathState]) -> None:
        """Copy a file, for all paths whose content it was before the run."""
        inode = (status.st_dev, status.st_ino)
        self._keep_attributes(family, state.path)
        name = f"{self.run}-{family[0].id}"
        copy: tuple[str | None, str | None] = (name, None)
        try:
            self.snapshots.take(state.path, name)
        except SnapshotLimitError as error:
            copy = (None, str(error))
        except OSError as error:
            copy = (None, error.strerror or str(error))
            self._tell_of_lost(state.path, str(copy[1]))
        if inode in self.linked:
            self.copies[inode] = copy
        self.journal.pending["snapshots"].extend((self.run, member.id, *copy) for member in family)

    def _keep_attributes(self, family: list[PathState], path: bytes) -> None:
        """Keep the extended attributes of a file, under all its names, before they are changed or lost; once.

        A row without a name says that they were looked at.
        """
        attributes, _ = read_attributes(path)
        for member in family:
            if not member.attributed:
                member.attributed = True
                rows = ((self.run, member.id, name, value) for name, value in ((b"", b""), *attributes))
                self.journal.pending["attributes"].extend(rows)

    def _tell_of_lost(self, path: bytes, reason: str) -> None:
        what = f"the run changed {printable(path)}, and it could not be copied before ({reason})"
        advice = "trace as a user who may read it, with enough room in the trace directory"
        self.journal.pending["notices"].append((self.run, "snapshot", what, advice))

    def list_directory(self, state: PathState) -> None:
        """Note every entry of a folder that is being listed, once, as it is before the run changes more of it."""
        if state.listed or not state.existed:
            return
        state.listed = True
        path = state.path
        if is_provided(path) and path != SHARED_MEMORY:
            return  # the kernel's: its list says nothing about the experiment
        try:
            names = os.listdir(path)
        except OSError as error:
            self.judge(error)
            return
        prefix = path if path == b"/" else path + b"/"
        for name in names:
            if prefix + name not in self.served and prefix + name != self.hidden:
                self.state(prefix + name)

    def note_folders(self, state: PathState, walk: Walk) -> None:
        """Note the folders in a folder that is looked at beside others: `ls -l` shows its link count, which is theirs.

        That is when the folder above it has been listed, or one in it by whose ``..`` it is named.
        """
        beside = self.states.get(walk.passed[-1] if walk.passed else state.path.rpartition(b"/")[0])
        if beside is None or not beside.listed or state.listed or not state.existed:
            return
        status = walk.status or os.lstat(state.path)
        if not stat.S_ISDIR(status.st_mode) or not 0 < status.st_nlink - OWN_LINKS <= MOST_FOLDERS:
            return
        with contextlib.suppress(OSError), os.scandir(state.path) as entries:  # EACCES: as for whoever looks
            for entry in entries:
                path = os.path.join(state.path, os.fsencode(entry.name))
                if path not in self.served and path != self.hidden and entry.is_dir(follow_symlinks=False):
                    self.state(path)

    def note_member(self, state: PathState) -> None:
        """Note an entry that a folder has from before the run, and that keeps it from being removed."""
        if state.listed or not state.existed or is_provided(state.path):
            return
        found: list[bytes] = []
        with contextlib.suppress(OSError), os.scandir(state.path) as entries:  # EACCES: it is empty to the run as well
            for entry in entries:
                path = os.path.join(state.path, os.fsencode(entry.name))
                known = self.states.get(path)
                if path in self.served or path == self.hidden or (known is not None and not known.existed):
                    continue
                found.append(path)
                if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False) or entry.is_symlink():
                    break
        if found:
            self.state(found[-1])

    def keep_tree(self, process: Process, path: bytes, destination: bytes) -> None:
        """Note all that lies below a folder that is about to be renamed, and that it appears elsewhere."""
        for parent, folders, files in os.walk(path, onerror=self.judge):
            self.list_directory(self.state(parent))
            for name in folders + files:
                below = self.state(parent + b"/" + name)
                moved = self.state(destination + below.path[len(path) :])
                below.mutated = moved.mutated = True
                moved.needed = moved.needed or below.needed
                self.follow_content(process, below)
