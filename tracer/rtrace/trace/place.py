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
import re
import sqlite3
from pathlib import Path

from rtrace.errors import BusyError, ForeignError, TraceError
from rtrace.folders import directory_flags, read_own
from rtrace.locks import Lock
from rtrace.printable import printable
from rtrace.renaming import rename_new
from rtrace.trace.directory import BEGUN, UNBEGUN, TraceDirectory, close
from rtrace.workspaces import INCOMPLETE, Workspace, make_suffix, make_workspace, prefix_beside, set_aside

_OLD = ".old-"
_MODE = 0o755
_NEW = b"new "
_LONGEST_MARK = 4096
_SUFFIX = re.compile(rb"[0-9a-f]{8}")


class TracePlace:
    """A trace directory that is locked and made ready for one more run; ``keep`` or ``restore`` decides about it."""

    def __init__(self, directory: TraceDirectory, *, continued: bool, overwrite: bool) -> None:
        """Open the directory to add a run, or make it anew; an old one that is to be overwritten is set aside.

        Raises TraceError when there is a directory and neither is asked for, or when what is there is no trace, and
        BusyError when another process uses it.
        """
        self.directory = directory
        self.aside: bytes | None = None
        self.is_new = not continued
        self.earlier_runs = 0
        if continued:
            self.lock = directory.lock()
            try:
                self.connection = directory.open()
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
                self.aside = prefix_beside(name, _OLD) + make_suffix()
            write_mark(TraceDirectory(workspace.path), _NEW + (self.aside or b""))
            if self.aside is not None:
                rename_new(workspace.parent, name, self.aside)
            try:
                give_place(workspace, self.directory)
            except BaseException:
                if self.aside is not None:
                    rename_new(workspace.parent, self.aside, name)
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


def write_mark(directory: TraceDirectory, text: bytes) -> None:
    """Say in a trace directory what is to be put back when its run does not begin.

    That is how many runs it had, or ``new`` and the name of what it would replace.
    """
    new = directory.path / f"{UNBEGUN}.new"
    new.write_bytes(text)
    new.replace(directory.path / UNBEGUN)


def read_mark(directory: TraceDirectory, name: str) -> bytes | None:
    """Read what is to be put back, or to be removed; None when there is nothing that this user's rtrace wrote."""
    try:
        folder = os.open(directory.path, directory_flags() & ~os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        text = read_own(folder, name, _LONGEST_MARK)
    except (OSError, ForeignError):
        return None
    finally:
        os.close(folder)
    aside = re.escape(prefix_beside(directory.path.name, _OLD))
    return text if re.fullmatch(rb"[0-9]{1,18}|new (?:%b[0-9a-f]{8})?" % aside, text) else None


def find_unsettled(folder: Path) -> tuple[TraceDirectory, ...]:
    """Find the trace directories in a folder that a killed tracer left in between."""
    found = set()
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return ()
    for name in names:
        base, ending, suffix = name.rpartition(_OLD)
        is_aside = bool(ending) and _SUFFIX.fullmatch(os.fsencode(suffix)) is not None
        trace = TraceDirectory(folder / (base if is_aside else name))
        if (is_aside and is_own(folder / name)) or any(read_mark(trace, mark) for mark in (UNBEGUN, BEGUN)):
            with contextlib.suppress(BusyError), trace.lock():
                found.add(trace)
    return tuple(sorted(found))


def settle(directory: TraceDirectory) -> tuple[str, ...]:
    """Put back, or remove, what a tracer that was killed left of a trace directory; say what was done.

    Nothing is done where another process is at work.
    """
    told: list[str] = []
    try:
        with directory.lock():
            finish_closing(directory)
            told += put_back(directory)
            superseded = read_mark(directory, BEGUN)
            if superseded is not None and superseded.startswith(_NEW):
                remove_old(directory, superseded.removeprefix(_NEW))
    except BusyError:
        return ()
    if not os.path.lexists(directory.path):
        told += bring_back(directory)
    return tuple(told)


def finish_closing(directory: TraceDirectory) -> None:
    """Close the database of a tracer that was killed while it did: who only reads it could not."""
    journal = directory.database.with_name(directory.database.name + "-journal")
    if journal.exists() and os.access(directory.path, os.W_OK):
        close(directory.open())


def put_back(directory: TraceDirectory) -> list[str]:
    """Make a trace directory that is locked what it was before a run that did not begin; say what was done."""
    mark = read_mark(directory, UNBEGUN)
    if mark is None:
        return []
    name = printable(os.fsencode(directory.path))
    if not mark.startswith(_NEW):
        connection = directory.open()
        connection.execute("DELETE FROM runs WHERE id > ?", (int(mark),))
        close(connection)
        os.unlink(directory.path / UNBEGUN)
        return [f"took a run out of {name} that never began"]
    remove_locked(directory.path)
    if mark == _NEW:
        return [f"removed {name}, a trace that never began"]
    return bring_back(directory)


def bring_back(directory: TraceDirectory) -> list[str]:
    """Give a trace directory that was set aside its name again, if there is one; say what was done."""
    path = directory.path
    is_old = re.compile(re.escape(prefix_beside(path.name, _OLD)) + rb"[0-9a-f]{8}")
    try:
        parent = os.open(path.parent, directory_flags() & ~os.O_NOFOLLOW)
    except OSError:  # the command says what is wrong
        return []
    try:
        for name in filter(is_old.fullmatch, map(os.fsencode, sorted(os.listdir(parent)))):
            aside = TraceDirectory(path.with_name(os.fsdecode(name)))
            if is_own(aside.path) and aside.database.is_file():
                with aside.lock():
                    rename_new(parent, name, os.fsencode(path.name))
                return [f"brought {printable(os.fsencode(path))} back, which a killed process had set aside"]
    except (BusyError, FileExistsError):  # another process is at it
        return []
    finally:
        os.close(parent)
    return []


def is_own(path: Path) -> bool:
    """Whether something belongs to this user; of a symlink, whether the symlink does."""
    return path.lstat().st_uid == os.geteuid()


def remove_old(directory: TraceDirectory, name: bytes) -> None:
    """Remove the trace directory that another one has replaced, and note that it is gone."""
    old = directory.path.with_name(os.fsdecode(name))
    if old.is_symlink():
        old.unlink()
    elif old.is_dir():
        with TraceDirectory(old).lock():
            remove_locked(old)
    os.unlink(directory.path / BEGUN)


def remove_locked(path: Path) -> None:
    """Remove a trace directory that this process has locked, as far as possible; what is left is a leftover."""
    parent = os.open(path.parent, directory_flags() & ~os.O_NOFOLLOW)
    folder = os.open(path, directory_flags())
    name = set_aside(parent, os.fsencode(path.name), folder, prefix_beside(path.name, INCOMPLETE))
    with Workspace(parent, name, path.with_name(os.fsdecode(name)), folder, Lock(None)):
        pass


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
