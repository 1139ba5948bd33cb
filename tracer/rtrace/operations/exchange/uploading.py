"""`rtrace upload`: files put in the place of named ones, or the packed ones put back."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.bundle.entry import Entry, FileType
from rtrace.elsewhere.sources import NO_SOURCES, Sources, read_content
from rtrace.errors import TargetError, UsageError
from rtrace.operations.exchange.contents import STANDARD_INPUT, open_content, read_parts_of
from rtrace.operations.exchange.names import explain_unknown, find_file, find_named, iterate_splits
from rtrace.operations.exchange.states import FileState, find_content
from rtrace.printable import printable
from rtrace.replay.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rtrace.bundle.protocol import OpenBundle
    from rtrace.operations.exchange.contents import Content
    from rtrace.operations.exchange.names import File
    from rtrace.operations.exchange.notes import Notes
    from rtrace.replay.protocol import Target

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be put in the place of a file: another file, standard input (`-`), or what was packed (None)."""

    file: File
    source: Path | None
    from_input: bool = False

    @property
    def is_restoring(self) -> bool:
        """Whether the packed content is wanted."""
        return self.source is None and not self.from_input


def parse_request(bundle: OpenBundle, text: str) -> Request:
    """Read ``FILE:NAME``, ``-:NAME`` or ``:NAME``; of several colons the last one that makes sense counts.

    Raises UsageError, also for what can be read in two ways.
    """
    from pathlib import Path

    shown = printable(os.fsencode(text))
    readings = []
    for source, name in iterate_splits(text):
        file = find_named(bundle, name)
        if file is not None and (source in {"", STANDARD_INPUT} or os.path.exists(source)):
            readings.append((source, file))
    if len(readings) > 1:
        ways = " or ".join(f"{source or 'the packed content'} for {file.name}" for source, file in readings)
        raise UsageError(f"{shown} can be read as {ways}; name the file in the target by its path (FILE:/PATH)")
    if not readings:
        raise UsageError(explain_request(bundle, text))
    source, file = readings[0]
    if source and source != STANDARD_INPUT and os.path.isdir(source):
        raise UsageError(f"{source} is a folder; name a file, and upload one after the other")
    if source in {"", STANDARD_INPUT}:
        return Request(file, None, from_input=source == STANDARD_INPUT)
    return Request(file, Path(source))


def explain_request(bundle: OpenBundle, text: str) -> str:
    """Return a sentence on what cannot be read as a request."""
    shown = printable(os.fsencode(text))
    if ":" not in text:
        found = find_named(bundle, text)
        if found is not None:
            return f"{shown} says no file; write FILE:{shown} to replace it, or :{shown} to bring back the packed one"
        names = [one.name for one in bundle.manifest.inputs]
        example = f" (for example {shown}:{names[0]})" if names else ""
        return f"{shown} says no name; write FILE:NAME{example}; without any, what there is is listed"
    source, _, name = text.rpartition(":")
    if find_named(bundle, name) is None:
        return explain_unknown(bundle, name, first="input")
    return f"there is no file {printable(os.fsencode(source))} to put in the place of {name}; name one that is there"


def upload(
    target: Target, bundle: OpenBundle, notes: Notes, requests: Iterable[Request], sources: Sources = NO_SOURCES
) -> tuple[FileState, ...]:
    """Do what is requested, one after the other; return the files as they are then.

    Raises UsageError, TargetError, BundleError and ElsewhereError; what was done before stays done.
    """
    done = []
    for request in requests:
        if request.is_restoring:
            done.append(restore(target, bundle, notes, request.file, sources))
        else:
            with open_content(request.source) as content:
                done.append(put_uploaded(target, bundle, notes, request.file, content))
    return tuple(done)


def put_uploaded(target: Target, bundle: OpenBundle, notes: Notes, file: File, content: Content) -> FileState:
    """Put a content in the place of a file, and note that. Raises TargetError."""
    now = time.time_ns()
    entry = make_entry(bundle, file)._replace(mtime_ns=now)
    noted = Upload(file.name, content.size, content.sha256, content.source, now / SECOND)
    notes.write(notes.uploads.announce(entry.path, noted))
    try:
        target.put(entry, content.file)
    except BaseException:
        notes.write(notes.uploads.lose(entry.path))
        raise
    notes.write(notes.uploads.arrive(entry.path))
    return FileState(file, entry.path, "replaced", content.size, noted)


def restore(target: Target, bundle: OpenBundle, notes: Notes, file: File, sources: Sources) -> FileState:
    """Put the packed content back in its place. Raises TargetError, BundleError and ElsewhereError."""
    packed = find_content(bundle, file.entry)
    if packed is None or file.entry is None:
        raise UsageError(f"the bundle holds no {file.name}, which `rtrace reset` removes with all that runs wrote")
    if packed.placeholder:
        raise TargetError(
            f"the bundle holds only the size of {file.name}; `rtrace reset` brings the whole packed state back"
        )
    target.put(make_entry(bundle, file), read_parts_of(read_content(bundle, file.entry, sources)))
    notes.write(notes.uploads.forget(file.path))
    return FileState(file, file.path, "original", packed.size)


def make_entry(bundle: OpenBundle, file: File) -> Entry:
    """Return the entry by which something is put at a file's path: owner and permissions are those of what is packed.

    Raises UsageError for what is no regular file in the bundle, or has no path of its own.
    """
    entry = file.entry
    if entry is not None:
        if entry.type is not FileType.REGULAR:
            raise UsageError(f"{file.name} is a {entry.type.value} in the bundle; name a file")
        packed = find_content(bundle, entry) or entry
        return entry._replace(size=0, link=None, segments=None, xattrs=packed.xattrs)
    if file.pattern is not None:
        raise UsageError(f"{file.name} has another path in each run; name a file by its path")
    named = next((one for one in bundle.manifest.outputs if one.path == file.path), None)
    run = next((run for run in bundle.manifest.runs if named is not None and run.id in named.runs), None)
    if run is None:
        run = bundle.manifest.runs[0]
    return Entry(file.path, FileType.REGULAR, 0o666 & ~run.umask, run.uid, run.gid, 0)


def find_request(bundle: OpenBundle, name: str, source: Path | None) -> Request:
    """Return the request to put a file, or standard input (None), in the place of what has a name."""
    return Request(find_file(bundle, name), source, from_input=source is None)
