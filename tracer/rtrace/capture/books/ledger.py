"""The ledger of one run: what was at each path before, who used it how, and the copies of what was changed.

A file that is only renamed is not copied: its content is at its new name. It is recognized there by its inode, and
copied when it is about to be changed or removed.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable

from rtrace.capture.books.journal import Journal
from rtrace.capture.books.path_state import TYPE_NAMES, Discarded, PathState, Uses, identify
from rtrace.capture.books.rows import FACTS
from rtrace.capture.books.snapshots import SnapshotLimitError, SnapshotTaker
from rtrace.capture.books.unobserved import is_nothing_for_anybody
from rtrace.capture.processes.tracee import Process
from rtrace.files.stamps import keep_inode, keep_time
from rtrace.files.xattrs import read_attributes
from rtrace.printable import printable
from rtrace.trace.schema import MUTATIONS, Use

NOTHING = (None,) * (len(FACTS) - 3)
"""The facts of a path where nothing is, after its run, itself and the time."""
USE_BITS = max(Use).bit_length()
MUTATION_BITS = int(MUTATIONS)
METADATA, UNREAD, KEPT = int(Use.METADATA), int(Use.UNREAD), int(Use.KEPT)
CONTENT_BITS, FROM_NOTHING = int(Use.READ | Use.EXECUTE | Use.WRITE), int(Use.CREATE | Use.TRUNCATE)


class Ledger:
    """Knows everything about the paths of one run; turns first touches and changes into rows."""

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
        """Count as needed what was noted until now: the run was given it by descriptor."""
        for state in self.states.values():
            state.needed = True

    def now(self) -> int:
        """Return the nanoseconds since the run began."""
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
        """Tell what could not be noted because of an error, unless the error means that nothing is there."""
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
        self.facts.append((
            self.run, identity, self.now(),
            kind, status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_size, mtime,
            status.st_dev, keep_inode(status.st_ino), status.st_nlink, target, ctime, status.st_blocks,
        ))  # fmt: skip
        return state

    def _join_links(self, state: PathState, inode: tuple[int, int]) -> None:
        """Remember which paths share a file; a path that is met after a change gets the copy that was taken then."""
        state.inode = inode
        self.linked.setdefault(inode, []).append(state)
        if inode in self.copies:
            state.settled = True
            self.journal.pending["snapshots"].append((self.run, state.id, *self.copies[inode]))

    def follow_content(self, process: Process, state: PathState) -> bool:
        """Watch a file that is being given another name, under which its content could be changed unseen.

        Return whether it holds what some path held before the run, and has not been copied.
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
        """Keep what was about to be lost if it is still there, as it is needed now: the call failed, or goes on."""
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
