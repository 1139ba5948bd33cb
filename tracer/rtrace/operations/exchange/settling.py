"""What a killed command left half done in a target is put in order by the next one, which says what it was."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import TargetError
from rtrace.operations.exchange.bundles import remove_half_kept
from rtrace.operations.exchange.notes import Notes, noting, peek
from rtrace.printable import printable
from rtrace.replay.protocol import Mender
from rtrace.replay.registry import open_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rtrace.replay.protocol import Target
    from rtrace.replay.uploads import Kept


def open_settled(path: Path, say: Callable[[str], None]) -> Target:
    """Open a target, and put in order what a killed command left there. Raises BusyError and TargetError."""
    target = open_target(path)
    settle(target, say)
    return target


def settle(target: Target, say: Callable[[str], None]) -> None:
    """Put in order what a killed command left in a target, and say so. Raises BusyError where it is not dead."""
    if isinstance(target, Mender):
        for sentence in target.mend():
            say(f"{target.path}: {sentence}")
    if remove_half_kept(target.path):
        say(f"{target.path}: unpacking was killed while it copied the bundle; name that with --bundle FILE")
    if peek(target.path).is_unfinished:
        with settled_notes(target, say):
            pass


@contextlib.contextmanager
def settled_notes(target: Target, say: Callable[[str], None]) -> Iterator[Notes]:
    """Open the notes of a target for this process alone, after finishing what a killed one began."""
    with noting(target.path) as notes:
        for path in tuple(notes.uploads.coming):
            settle_coming(target, notes, path, say)
        for kept in tuple(notes.uploads.kept.values()):
            put_back(target, notes, kept)
            say(f"{target.path}: {printable(kept.path)} was replaced for a replay that was killed, and is put back now")
        yield notes


def settle_coming(target: Target, notes: Notes, path: bytes, say: Callable[[str], None]) -> None:
    """Find out whether an upload that was killed had arrived, and note that."""
    upload = notes.uploads.coming[path]
    found = target.inspect({path: upload.size}, ()).found.get(path)
    if found is not None and found.size == upload.size and found.sha256 == upload.sha256:
        notes.write(notes.uploads.arrive(path))
        say(f"{target.path}: the upload of {upload.name} was killed when the file was in its place already")
    else:
        notes.write(notes.uploads.lose(path))
        say(f"{target.path}: the upload of {upload.name} was killed before the file was in its place; upload it again")


def put_back(target: Target, notes: Notes, kept: Kept) -> None:
    """Put back what was kept of a path. Raises TargetError, and keeps it then."""
    entry = Entry(kept.path, FileType.REGULAR, kept.mode, kept.uid, kept.gid, kept.mtime_ns)
    try:
        with notes.open_kept(kept.file) as file:
            target.put(entry, file)
    except OSError as error:
        raise TargetError(
            f"cannot put back {printable(kept.path)} in {target.path}: {error.strerror}; `rtrace reset` brings the "
            "packed state back"
        ) from None
    notes.write(notes.uploads.give_back(kept.path))
    notes.remove_kept(kept.file)
