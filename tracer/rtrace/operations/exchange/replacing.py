"""Inputs replaced for a while: for one replay, after which what was there is put back."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rtrace.errors import TargetError
from rtrace.interrupts import shielded
from rtrace.opening import open_bundle
from rtrace.operations.exchange.contents import open_content
from rtrace.operations.exchange.settling import put_back, settled_notes
from rtrace.operations.exchange.states import find_content
from rtrace.operations.exchange.uploading import SECOND, find_request, make_entry
from rtrace.printable import printable
from rtrace.replay.uploads import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rtrace.bundle.entry import Entry
    from rtrace.bundle.protocol import OpenBundle
    from rtrace.operations.exchange.contents import Content
    from rtrace.operations.exchange.names import File
    from rtrace.operations.exchange.notes import Notes
    from rtrace.replay.protocol import Target

_PART = 1 << 20


@contextlib.contextmanager
def replaced(
    target: Target,
    bundle: Path,
    given: Sequence[tuple[str, Path | None]],
    *,
    throw_away: bool,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> Iterator[None]:
    """Put files in place of named inputs (None: standard input, read whole first) while the block lasts.

    In a target that stays, what was there is put back when the block ends, whatever ends it; after a kill -9 the next
    command on the target puts it back and says so. Raises UsageError, BundleError, BusyError and TargetError.
    """
    if not given:
        yield
        return
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_bundle(bundle))
        requests = [find_request(opened, name, source) for name, source in given]
        entries = [make_entry(opened, request.file) for request in requests]
        contents = [stack.enter_context(open_content(request.source)) for request in requests]
        files = [request.file for request in requests]
        if throw_away:
            for entry, content in zip(entries, contents, strict=True):
                put_now(target, entry, content)
            yield
            return
        notes = stack.enter_context(settled_notes(target, say))
        stack.callback(put_all_back, target, notes)
        for file, entry, content in zip(files, entries, contents, strict=True):
            if not keep(target, opened, notes, file, entry):
                warn(f"{file.name} was not in {target.path} any more; what is put there stays")
            put_now(target, entry, content)
        yield


def put_now(target: Target, entry: Entry, content: Content) -> None:
    """Put a content at an entry's path, with the time of now."""
    target.put(entry._replace(mtime_ns=time.time_ns()), content.file)


def put_all_back(target: Target, notes: Notes) -> None:
    """Put back all that was kept. Raises TargetError; what is not put back then is kept for the next command."""
    with shielded():
        for kept in tuple(notes.uploads.kept.values()):
            put_back(target, notes, kept)


def keep(target: Target, bundle: OpenBundle, notes: Notes, file: File, entry: Entry) -> bool:
    """Keep what is at a path, so that it can be put back; return whether there was something. Raises TargetError."""
    name = notes.choose_name()
    try:
        with notes.open_kept(name, new=True) as copy:
            try:
                target.fetch(entry.path, copy)
            except FileNotFoundError:
                notes.remove_kept(name)
                return False
            copy.flush()
            mtime = find_time(bundle, notes, file, entry, copy)
    except OSError as error:
        notes.remove_kept(name)
        raise TargetError(
            f"cannot keep {printable(entry.path)} of {target.path} while it is replaced: {error.strerror}; "
            "nothing was replaced"
        ) from None
    notes.write(notes.uploads.keep(Kept(entry.path, name, entry.mode, entry.uid, entry.gid, mtime)))
    return True


def find_time(bundle: OpenBundle, notes: Notes, file: File, entry: Entry, copy: BinaryIO) -> int:
    """Return the time of what is kept, in nanoseconds: that of the packed file, of its upload, or now."""
    copy.seek(0)
    digest = hashlib.sha256()
    while part := copy.read(_PART):
        digest.update(part)
    found = (os.fstat(copy.fileno()).st_size, digest.hexdigest())
    packed, uploaded = find_content(bundle, file.entry), notes.uploads.files.get(entry.path)
    if uploaded is not None and found == (uploaded.size, uploaded.sha256):
        return int(uploaded.at * SECOND)
    if packed is not None and found == (packed.size, packed.sha256):
        return entry.mtime_ns
    return time.time_ns()
