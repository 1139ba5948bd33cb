"""The trace directory of a run that is about to begin: until it has begun, everything can be put back.

A tracer may be killed at any moment. What is to be put back then is in the file ``unbegun`` of the trace directory:
whoever comes next to a directory that has one and that nobody has locked puts it back.

    .rtrace                            the trace that was there
    .rtrace.incomplete-XXXXXXXX        the new one in the making, with its ``unbegun``
    .rtrace.old-XXXXXXXX, .rtrace      the old one aside, the new one in its place
    .rtrace                            the run begins: ``unbegun`` is renamed to ``begun``, the old one removed
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

from rtrace.errors import TraceError
from rtrace.folders import directory_flags
from rtrace.locks import Lock
from rtrace.renaming import rename_new
from rtrace.trace.directory import TraceDirectory, add_columns, close
from rtrace.trace.settling import ASIDE, BEGUN, NEW, OLD, UNBEGUN, put_back, remove_old, write_mark
from rtrace.workspaces import INCOMPLETE, Workspace, make_suffix, make_workspace, prefix_beside

_MODE = 0o755


class TracePlace:
    """A trace directory that is locked and made ready for one more run; ``keep`` or ``restore`` decides about it."""

    def __init__(self, directory: TraceDirectory, *, continued: bool, overwrite: bool) -> None:
        """Open the directory to add a run, or make it anew; an old one that is to be overwritten is set aside.

        Raises TraceError when there is a directory and neither is asked for, or when what is there is no trace, and
        BusyError when another process uses it.
        """
        self.directory = directory
        self.aside: bytes | None = None
        self.earlier_runs = 0
        if continued:
            self.lock = directory.lock()
            try:
                self.connection = directory.open()
                add_columns(self.connection)
                self.earlier_runs = self._count_runs()
                write_mark(directory, b"%d" % self.earlier_runs)
            except BaseException:
                self.lock.release()
                raise
            return
        if os.path.lexists(directory.path) and not overwrite:
            raise exists_already(directory)
        with make_trace(directory) as workspace:
            self._take_place(workspace)
            self.lock = Lock(os.dup(workspace.lock.descriptor)) if workspace.lock.descriptor is not None else Lock(None)
        self.connection = directory.open()

    def _count_runs(self) -> int:
        count: int = self.connection.execute("SELECT count(*) FROM runs").fetchone()[0]
        return count

    def _take_place(self, workspace: Workspace) -> None:
        """Give the new directory its name, an old one that it overwrites another one."""
        path = self.directory.path
        name = os.fsencode(path.name)
        with contextlib.ExitStack() as stack:
            if os.path.lexists(path):
                self.directory.open().close()
                stack.enter_context(self.directory.lock())
                self.aside = prefix_beside(name, OLD) + make_suffix()
                write_mark(self.directory, self.aside, ASIDE)
            write_mark(TraceDirectory(workspace.path), NEW + (self.aside or b""))
            if self.aside is not None:
                rename_new(workspace.parent, name, self.aside)
            try:
                give_place(workspace, self.directory)
            except BaseException:
                if self.aside is not None:
                    rename_new(workspace.parent, self.aside, name)
                    os.unlink(path / ASIDE)
                raise

    def keep(self) -> None:
        """Let go of what was overwritten: the run begins."""
        if self.aside is None:
            os.unlink(self.directory.path / UNBEGUN)
            return
        os.rename(self.directory.path / UNBEGUN, self.directory.path / BEGUN)
        remove_old(self.directory, self.aside)
        self.aside = None

    def restore(self) -> None:
        """Put everything back as it was: the run never began."""
        self.connection.close()
        put_back(self.directory)
        self.lock.release()

    def finish(self) -> None:
        """Close the trace, which is whole."""
        close(self.connection)
        self.lock.release()


def make_trace(directory: TraceDirectory) -> Workspace:
    """Make an empty trace in a workspace beside its place. Raises TraceError where nothing can be made."""
    path = directory.path
    try:
        parent = os.open(path.parent, directory_flags() & ~os.O_NOFOLLOW)
        workspace = make_workspace(parent, path.parent, prefix_beside(path.name, INCOMPLETE))
    except OSError as error:
        raise TraceError(f"cannot make {path}: {error.strerror}; use -d to write elsewhere") from None
    try:
        os.fchmod(workspace.descriptor, _MODE & ~read_umask())
        close(TraceDirectory(workspace.path).fill())
    except BaseException as error:
        with workspace:  # which removes it
            if isinstance(error, sqlite3.Error | OSError):
                raise TraceError(
                    f"cannot make {path} ({error}); free some space, or use -d to write elsewhere"
                ) from None
            raise
    return workspace


def give_place(workspace: Workspace, directory: TraceDirectory) -> None:
    """Give a trace in a workspace its name. Raises TraceError when that is taken meanwhile."""
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


def read_umask() -> int:
    """Return the file mode creation mask, which no call tells without changing it; see umask(2)."""
    umask = os.umask(0)
    os.umask(umask)
    return umask
