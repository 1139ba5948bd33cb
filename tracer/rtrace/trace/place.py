"""The trace directory of a run that is about to begin: until it has begun, everything can be put back.

While its run goes on the trace lies in a private place, out of the run's sight, see rtrace.trace.private:

    DIRECTORY                     the trace that was there: it is moved to the private place, too
    private place, ``unbegun``    the new one in the making; killed now, the next command puts everything back
    private place                 the run begins: ``unbegun`` is removed, and the trace that is overwritten
    DIRECTORY                     the run has ended: the complete trace is moved into its place
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import TraceError
from rtrace.files.folders import directory_flags
from rtrace.files.workspaces import INCOMPLETE, Workspace, make_workspace, prefix_beside
from rtrace.printable import printable
from rtrace.trace import advise_unreadable
from rtrace.trace.directory import TraceDirectory, close
from rtrace.trace.moving import cannot_move, give_to_owner, move, remove_trace
from rtrace.trace.private import Destination, PrivatePlace, cannot_make, choose_roots, find_destination, make_private
from rtrace.trace.settling import NEW, UNBEGUN, put_back, write_mark

if TYPE_CHECKING:
    from rtrace.files.locks import Lock

_MODE = 0o700
_FORMER_MODE = 0o755
_UNNAMED = getattr(os, "O_TMPFILE", 0)


class TracePlace:
    """A trace that is locked and made ready for one more run; ``keep`` or ``restore`` decides about it.

    ``directory`` is where it will be in the end, ``trace`` where it is as long as the run goes on, ``hidden`` the
    topmost folder that was made for that.
    """

    def __init__(self, directory: TraceDirectory, *, continued: bool, overwrite: bool) -> None:
        """Take the directory to add a run, or make a new one; an old one that is to be overwritten is set aside.

        Raises TraceError when there is a directory and neither is asked for, or when what is there is no trace, and
        BusyError when another process uses it.
        """
        self.directory = directory
        self.earlier_runs = 0
        destination = find_destination(directory)
        target = TraceDirectory(Path(os.fsdecode(destination.path)))
        exists = os.path.lexists(target.path)
        self._mark = NEW
        self._former: Lock | None = None
        self._lock: Lock | None = None  # against who reads the new trace where it lies
        self._private: PrivatePlace | None = None
        if exists and not (continued or overwrite):
            raise exists_already(directory)
        try:
            if exists or continued:
                self._former = directory.lock()
                runs = count_runs(directory)
                if continued:
                    self.earlier_runs, self._mark = runs, b"%d" % runs
            refuse_unwritable(destination, directory)
            self._private = place = find_room(destination, directory, self._mark)
            self.trace, self.hidden = place.trace, place.hidden
            if exists:
                move_away(target, place, continued=continued)
            if not continued:
                self._lock = self.trace.lock()
            self.connection = self.trace.open()
        except BaseException:
            self._undo()
            raise

    @property
    def private(self) -> PrivatePlace:
        """Where the trace lies."""
        if self._private is None:
            raise ValueError
        return self._private

    @property
    def shortcoming(self) -> tuple[str, str] | None:
        """What to tell about where the trace lies, and what to do about it; usually nothing."""
        if not self.private.is_in_sight:
            return None
        where = printable(os.fsencode(self.private.path.parent))
        what = f"rtrace could write to no folder elsewhere, so the run may have seen {where}"
        return what, "let XDG_STATE_HOME name a folder that can be written to, and trace again"

    def keep(self) -> None:
        """Remove what was overwritten: the run begins."""
        os.unlink(self.private.path / UNBEGUN)
        if self.private.old.path.exists():
            remove_trace(self.private.old.path)
            self._release_former()
        if self.trace.path.exists():
            secure(self.trace)

    def restore(self) -> None:
        """Put everything back as it was: the run never began."""
        self.connection.close()
        self._undo()

    def leave(self) -> str | None:
        """Close the trace, as far as it got, and move it into its place; return what prevents that."""
        problem = None
        try:
            close(self.connection)
        except (OSError, sqlite3.Error) as error:
            problem = f"{self.trace.database} cannot be written to its end ({error}); free some space and trace again"
        problem = self._put_in_place() or problem
        self.release()
        return problem

    def _put_in_place(self) -> str | None:
        give_to_owner(self.trace.path)
        name = printable(os.fsencode(self.directory.path))
        try:
            move(self.trace.path, self.private.target.path)
        except OSError as error:
            where = printable(os.fsencode(self.trace.path))
            reason = "it was made by the run" if error.errno == errno.EEXIST else error.strerror
            return f"the trace cannot be moved to {name} ({reason}); it is in {where}: pack it with -d {where}"
        self.private.remove()
        return None

    def release(self) -> None:
        """Release all locks."""
        self._release_former()
        if self._lock is not None:
            self._lock.release()
        if self._private is not None:
            self._private.lock.release()

    def _release_former(self) -> None:
        if self._former is not None:
            self._former.release()
            self._former = None

    def _undo(self) -> None:
        """Put back what there was, as far as it was set aside."""
        if self._private is not None:
            with contextlib.suppress(OSError, TraceError, sqlite3.Error):  # then the next command tries it again
                put_back(self._private, self._mark, "")
                self._private.remove()
        self.release()


def count_runs(directory: TraceDirectory) -> int:
    """Return how many runs a trace has; it is complete and closed then. Raises TraceError when it is not a trace."""
    connection = directory.open()
    try:
        count: int = connection.execute("SELECT max(id) FROM runs").fetchone()[0] or 0
        close(connection)
    except sqlite3.Error as error:
        raise TraceError(f"{directory.database} cannot be read ({error}); {advise_unreadable(error)}") from None
    return count


def refuse_unwritable(destination: Destination, directory: TraceDirectory) -> None:
    """Raise TraceError where no trace directory can be made in the end; nothing that could be seen is made for that."""
    try:
        os.close(os.open(destination.parent, os.O_WRONLY | _UNNAMED | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}:
            raise cannot_make(directory, error) from None
        if not os.access(destination.parent, os.W_OK | os.X_OK, effective_ids=True):
            raise cannot_make(directory, PermissionError(errno.EACCES, os.strerror(errno.EACCES))) from None


def find_room(destination: Destination, directory: TraceDirectory, mark: bytes) -> PrivatePlace:
    """Make a private place in the best root that can be had, with an empty trace if the ``mark`` is that of a new one.

    The mark comes first: a trace that is half made is known by it when this process is killed.
    """
    refusal: Exception = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for root in choose_roots(destination, os.getcwdb()):
        try:
            place = make_private(destination, root)
        except OSError as error:
            refusal = error
            continue
        try:
            write_mark(place, mark)
            if mark != NEW:
                return place
            place.trace.path.mkdir(mode=_MODE)
            close(place.trace.fill())
        except (OSError, sqlite3.Error) as error:
            refusal = error
            place.remove()
            place.lock.release()
            continue
        return place
    raise cannot_make(directory, refusal)


def move_away(target: TraceDirectory, place: PrivatePlace, *, continued: bool) -> None:
    """Move the trace that is there to the private place. Raises TraceError."""
    aside = place.trace.path if continued else place.old.path
    try:
        move(target.path, aside)
    except OSError as error:
        raise cannot_move(target.path, aside, error) from None


def secure(trace: TraceDirectory) -> None:
    """Close a trace directory of an earlier version to other users, unless its owner has opened it."""
    with contextlib.suppress(PermissionError):
        if stat.S_IMODE(trace.path.stat().st_mode) == _FORMER_MODE:
            trace.path.chmod(_MODE)
    trace.ignore()


def make_trace(directory: TraceDirectory) -> Workspace:
    """Make an empty trace in a workspace beside its place. Raises TraceError where nothing can be made."""
    path = directory.path
    try:
        parent = os.open(path.parent, directory_flags() & ~os.O_NOFOLLOW)
        workspace = make_workspace(parent, path.parent, prefix_beside(path.name, INCOMPLETE))
    except OSError as error:
        raise cannot_make(directory, error) from None
    try:
        close(TraceDirectory(workspace.path).fill())
    except BaseException as error:
        with workspace:  # which removes it
            if isinstance(error, sqlite3.Error | OSError):
                raise cannot_make(directory, error) from None
            raise
    return workspace


def give_place(workspace: Workspace, directory: TraceDirectory) -> None:
    """Give a trace in a workspace its name. Raises TraceError when the name has been taken by then."""
    try:
        workspace.give_name(os.fsencode(directory.path.name))
    except FileExistsError:
        raise exists_already(directory) from None


def exists_already(directory: TraceDirectory) -> TraceError:
    """Return the error for a trace directory that is there."""
    return TraceError(
        f"{directory.path} exists already; use --continue to add a run to it, --overwrite to replace it, "
        "or -d to write elsewhere"
    )
