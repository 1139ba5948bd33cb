"""Put a trace directory in order that a killed tracer left in between, by the marks in it.

A mark is a file in the trace directory; one that this user's rtrace did not write counts for nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from rtrace.errors import BusyError, ForeignError
from rtrace.folders import directory_flags, read_own
from rtrace.locks import Lock
from rtrace.printable import printable
from rtrace.renaming import rename_new
from rtrace.trace.directory import TraceDirectory, close
from rtrace.workspaces import INCOMPLETE, Workspace, prefix_beside, set_aside

UNBEGUN = "unbegun"
"""There while a run is made ready: what is to be put back when it does not begin."""
BEGUN = "begun"
"""What becomes of it when the run begins, until the trace directory that is replaced is removed."""
ASIDE = "aside"
"""In a trace directory that is set aside: the name that it has then."""
OLD = ".old-"
NEW = b"new "
_NAME = rb"[^/]+\.old-[0-9a-f]{8}"
_MARKS = {
    UNBEGUN: re.compile(rb"[0-9]{1,18}|new (?:%b)?" % _NAME, re.DOTALL),
    BEGUN: re.compile(rb"new %b" % _NAME, re.DOTALL),
    ASIDE: re.compile(_NAME, re.DOTALL),
}
_LONGEST_MARK = 4096


def write_mark(directory: TraceDirectory, text: bytes, name: str = UNBEGUN) -> None:
    """Say in a trace directory what is to be put back when a run does not begin.

    Of the directory of that run, this is how many runs it had, or NEW and the name under which what it replaces is set
    aside; of the one that is set aside, that name.
    """
    new = directory.path / f"{name}.new"
    new.write_bytes(text)
    new.replace(directory.path / name)


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
    return text if _MARKS[name].fullmatch(text) else None


def find_unsettled(folder: Path) -> tuple[TraceDirectory, ...]:
    """Find the trace directories in a folder that a killed tracer left in between."""
    found = set()
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return ()
    for name in names:
        trace = place = TraceDirectory(folder / name)
        if read_mark(trace, ASIDE) == os.fsencode(name):
            place = TraceDirectory(folder / name.rpartition(OLD)[0])
            if os.path.lexists(place.path):
                continue
        elif not any(read_mark(trace, mark) for mark in (UNBEGUN, BEGUN)):
            continue
        with contextlib.suppress(BusyError), trace.lock():
            found.add(place)
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
            if superseded is not None:
                remove_old(directory, superseded.removeprefix(NEW))
            with contextlib.suppress(FileNotFoundError, PermissionError):
                os.unlink(directory.path / ASIDE)  # it was about to be set aside
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
    if not mark.startswith(NEW):
        connection = directory.open()
        connection.execute("DELETE FROM runs WHERE id > ?", (int(mark),))
        close(connection)
        os.unlink(directory.path / UNBEGUN)
        return [f"took a run out of {name} that never began"]
    remove_locked(directory.path)
    if mark == NEW:
        return [f"removed {name}, a trace that never began"]
    return bring_back(directory)


def bring_back(directory: TraceDirectory) -> list[str]:
    """Give a trace directory that was set aside its name again, if there is one; say what was done."""
    path = directory.path
    prefix = prefix_beside(path.name, OLD)
    try:
        parent = os.open(path.parent, directory_flags() & ~os.O_NOFOLLOW)
    except OSError:  # the command says what is wrong
        return []
    try:
        for name in sorted(name for name in map(os.fsencode, os.listdir(parent)) if name.startswith(prefix)):
            aside = TraceDirectory(path.with_name(os.fsdecode(name)))
            with aside.lock():
                if read_mark(aside, ASIDE) == name:
                    rename_new(parent, name, os.fsencode(path.name))
                    os.unlink(path / ASIDE)
                    return [f"brought {printable(os.fsencode(path))} back, which a killed process had set aside"]
    except (BusyError, FileExistsError):  # another process is at it
        return []
    finally:
        os.close(parent)
    return []


def remove_old(directory: TraceDirectory, name: bytes) -> None:
    """Remove the trace directory that another one has replaced, and note that it is gone."""
    old = TraceDirectory(directory.path.with_name(os.fsdecode(name)))
    with old.lock():
        if read_mark(old, ASIDE) == name:
            if old.path.is_symlink():
                os.unlink(old.path / ASIDE)
                old.path.unlink()
            else:
                remove_locked(old.path)
    os.unlink(directory.path / BEGUN)


def remove_locked(path: Path) -> None:
    """Remove a trace directory that this process has locked, as far as possible; what is left is a leftover."""
    parent = os.open(path.parent, directory_flags() & ~os.O_NOFOLLOW)
    folder = os.open(path, directory_flags())
    name = set_aside(parent, os.fsencode(path.name), folder, prefix_beside(path.name, INCOMPLETE))
    with Workspace(parent, name, path.with_name(os.fsdecode(name)), folder, Lock(None)):
        pass
