"""Put in order the trace that a killed tracer left in its private place.

Until a run begins, the mark ``unbegun`` of the private place says what is to be put back when it does not: NEW, or how
many runs the trace had that it would have continued. Afterwards the trace belongs into its place, as far as it got.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from rtrace.errors import BusyError, ForeignError, TraceError
from rtrace.files.folders import directory_flags, has_descriptors, read_own
from rtrace.printable import printable
from rtrace.trace.directory import TraceDirectory, close
from rtrace.trace.moving import move, remove_trace
from rtrace.trace.private import (
    PLACE,
    Destination,
    PrivatePlace,
    find_destination,
    find_places_in,
    find_private,
    lock_private,
    read_place,
)

UNBEGUN = "unbegun"
NEW = b"new"
_MARK = re.compile(rb"[0-9]{1,18}|new")
_LONGEST_MARK = 32


def write_mark(place: PrivatePlace, text: bytes) -> None:
    """Note in a private place what to put back if a run does not begin."""
    new = place.path / f"{UNBEGUN}.new"
    new.write_bytes(text)
    new.replace(place.path / UNBEGUN)


def read_mark(place: PrivatePlace) -> bytes | None:
    """Read what is to be put back; None when the run has begun."""
    try:
        folder = os.open(place.path, directory_flags())
        try:
            text = read_own(folder, UNBEGUN, _LONGEST_MARK)
        finally:
            os.close(folder)
    except (OSError, ForeignError):
        return None
    return text if _MARK.fullmatch(text) else None


def find_unsettled(folder: Path) -> tuple[TraceDirectory, ...]:
    """Find the trace directories of a folder that killed tracers left in private places."""
    found = set()
    for path in find_places_in(folder) if has_descriptors() else ():  # where nothing is traced, nothing is left
        destination = read_place(path)
        if destination is None:
            continue
        with contextlib.suppress(BusyError, OSError), lock_private(destination, path):
            found.add(TraceDirectory(folder / os.fsdecode(os.path.basename(destination.path))))
    return tuple(sorted(found))


def settle(directory: TraceDirectory) -> tuple[str, ...]:
    """Put in order what a killed tracer left of a trace directory, and return what was done.

    Raises BusyError where a tracer is at work on it.
    """
    if not has_descriptors():  # Windows, where no tracer ever was
        return ()
    try:
        destination = find_destination(directory)
    except TraceError:  # the folder above it is not there: the command says so
        return ()
    told: list[str] = []
    for path in find_private(destination):
        told += settle_place(destination, path, printable(os.fsencode(directory.path)))
    with contextlib.suppress(BusyError), directory.lock():
        finish_closing(directory)
    return tuple(told)


def settle_place(destination: Destination, path: Path, name: str) -> list[str]:
    """Settle one private place; ``name`` is how the trace directory is called. Raises BusyError."""
    try:
        lock = lock_private(destination, path)
    except FileNotFoundError:  # its tracer has just ended
        return []
    place = PrivatePlace(destination, path, lock, os.fsencode(path))
    with lock:
        if not (path / PLACE).exists() and not os.path.lexists(place.trace.path):
            told = []  # all but removed, or hardly made
        else:
            mark = read_mark(place)
            try:
                told = finish_place(place, name) if mark is None else put_back(place, mark, name)
            except OSError as error:
                return [f"cannot move the trace in {place.trace.path} to {name} ({error.strerror}); move it yourself"]
        if not os.path.lexists(place.trace.path) and not os.path.lexists(place.old.path):
            place.remove()
    return told


def finish_place(place: PrivatePlace, name: str) -> list[str]:
    """Put the trace of a run that began into its place, as far as it got. Raises OSError."""
    trace = place.trace
    if os.path.lexists(place.old.path):
        remove_trace(place.old.path)
    if not os.path.lexists(trace.path):
        return []
    finish_closing(trace)
    if os.path.lexists(place.target.path):
        if is_same(trace, place.target):  # it was copied there, and the original not yet removed
            remove_trace(trace.path)
            return []
        private = printable(os.fsencode(trace.path))
        return [f"a killed process left a trace in {private}, and {name} exists; pack it with -d {private}, or move it"]
    move(trace.path, place.target.path)
    return [f"brought {name} into its place, which a killed process had not finished"]


def put_back(place: PrivatePlace, mark: bytes, name: str) -> list[str]:
    """Undo everything that was prepared for a run that did not begin, and return what was done. Raises OSError."""
    told = []
    target, trace = place.target, place.trace
    if mark == NEW:
        if os.path.lexists(trace.path):
            remove_trace(trace.path)
            told.append(f"removed {name}, a trace that never began")
        source = place.old
    else:
        source = trace
        if os.path.lexists(trace.path):
            connection = trace.open()
            connection.execute("DELETE FROM runs WHERE id > ?", (int(mark),))
            close(connection)
    if os.path.lexists(source.path):
        if os.path.lexists(target.path) and is_same(source, target):  # it was copied, and its original not yet removed
            remove_trace(source.path)
        else:
            move(source.path, target.path)
            told = [f"brought {name} back, to which a killed process had not added a run"]
    (place.path / UNBEGUN).unlink(missing_ok=True)
    return told


def is_same(one: TraceDirectory, other: TraceDirectory) -> bool:
    """Whether two trace directories hold the same, as their databases say."""
    import filecmp

    try:
        return filecmp.cmp(one.database, other.database, shallow=False)
    except OSError:
        return False


def finish_closing(directory: TraceDirectory) -> None:
    """Close the database of a tracer that was killed, which a mere reader could not do."""
    database = directory.database
    left = any(database.with_name(database.name + ending).exists() for ending in ("-journal", "-wal"))
    if left and os.access(directory.path, os.W_OK):
        close(directory.open())
