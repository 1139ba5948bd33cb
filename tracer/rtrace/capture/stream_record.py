"""What the trace says of a run's standard streams: what they were, what was kept, and what the input was."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Mapping
from pathlib import Path

from rtrace.capture.interposition import Interposition
from rtrace.capture.keeping import KEPT_BYTES, Kept
from rtrace.capture.ledger import Ledger
from rtrace.capture.notices import NoticeBook
from rtrace.capture.snapshots import copy_content
from rtrace.capture.streams import DELETED, Kind, Outlet, Stream, find_joined, plan_outlets, read_size
from rtrace.trace.schema import Use

NAMES = ("stdin", "stdout", "stderr")
WORDS = ("standard input", "standard output", "standard error")
CHUNK = 1 << 20


class StreamRecord:
    """The rows of a run's streams, from its beginning to its end. ``limit`` is None for --no-capture."""

    def __init__(
        self, streams: tuple[Stream, Stream, Stream], folder: Path, run: int, *, limit: int | None = KEPT_BYTES
    ) -> None:
        """Plan what is relayed; what is kept goes to the folder, which is made when it is needed."""
        self.streams = streams
        self.folder = folder
        self.run = run
        self.captures = limit is not None
        outlets = plan_outlets(streams) if self.captures else ()
        files = {outlet: f"run{run}.{NAMES[outlet.descriptors[0]]}" for outlet in outlets}
        if outlets:
            folder.mkdir(mode=0o700, exist_ok=True)
        self.files: dict[Outlet, str] = files
        self.interposition = Interposition(outlets, tuple(folder / file for file in files.values()), limit or 0)

    def begin(self, connection: sqlite3.Connection, ledger: Ledger, process: int) -> None:
        """Write what is known before the program begins; ``process`` is the row that its first process will have."""
        joined = find_joined(self.streams)
        for stream in self.streams:
            outlet = self._find_outlet(stream)
            rows, columns = read_size(stream) or (None, None)
            connection.execute(
                "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, NULL, ?, NULL, NULL, NULL, 0, ?, ?)",
                (
                    self.run,
                    stream.descriptor,
                    stream.kind.value,
                    int(joined and stream.descriptor == 2),  # noqa: PLR2004 - standard error
                    stream.path,
                    stream.offset if stream.kind is Kind.FILE else None,
                    self.files[outlet] if outlet is not None else None,
                    rows,
                    columns,
                ),
            )
        if self.streams[0].kind is Kind.FILE:
            self._note_input(connection, ledger, process)

    def note_unkept(self, notices: NoticeBook) -> None:
        """Tell of output that could not be kept without the program noticing."""
        for stream in self.streams[1:]:
            if stream.kind is Kind.SOCKET and self.captures:
                notices.add(
                    "stream",
                    f"{WORDS[stream.descriptor]} is a socket, and what was written to it was not kept",
                    "send it to a file or through `| cat` to have it compared",
                )

    def finish(self, connection: sqlite3.Connection, kept: Mapping[Outlet, Kept]) -> None:
        """Write what came of each stream; ``kept`` is what the relay says at the end."""
        for outlet, came in kept.items():
            for descriptor in outlet.descriptors:
                if descriptor and not (descriptor == 2 and find_joined(self.streams)):  # noqa: PLR2004
                    self._update(connection, descriptor, None, came)
        if self.captures:
            written = [stream for stream in self.streams[1:] if stream.kind is Kind.FILE]
            for stream in written[:1] if find_joined(self.streams) else written:
                self._finish_file(connection, stream)

    def _finish_file(self, connection: sqlite3.Connection, stream: Stream) -> None:
        """Find in a file what the run wrote to it: the descriptor is the tracer's own, too, and with it the offset."""
        with contextlib.suppress(OSError):
            reading = os.open(f"/proc/self/fd/{stream.descriptor}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(reading).st_size
                end = max(
                    os.lseek(other.descriptor, 0, os.SEEK_CUR)
                    for other in self.streams[1:]
                    if (other.kind, other.identity) == (stream.kind, stream.identity)
                )
                # Where everything is appended, a descriptor that wrote nothing stays at 0.
                end = size if end < stream.offset or end > size else end
                self._update(connection, stream.descriptor, end, hash_range(reading, stream.offset, end))
            finally:
                os.close(reading)

    def _update(self, connection: sqlite3.Connection, descriptor: int, end: int | None, kept: Kept) -> None:
        connection.execute(
            'UPDATE streams SET "end" = ?, kept = ?, size = ?, sha256 = ?, cut = ? WHERE run = ? AND descriptor = ?',
            (end, kept.kept, kept.size, kept.sha256, int(kept.cut), self.run, descriptor),
        )

    def _find_outlet(self, stream: Stream) -> Outlet | None:
        if stream.descriptor == 0:
            return None
        return next((outlet for outlet in self.files if stream.descriptor in outlet.descriptors), None)

    def _note_input(self, connection: sqlite3.Connection, ledger: Ledger, process: int) -> None:
        """Make the file that is standard input one that the run reads; keep what has no name any more."""
        shown = self.streams[0].path or b""
        path: bytes | None = shown
        status = os.fstat(0)
        if not same_file(shown, status):
            name = shown.removesuffix(DELETED)
            path = name if keep_nameless(ledger, name, status) else None
        connection.execute("UPDATE streams SET path = ? WHERE run = ? AND descriptor = 0", (path, self.run))
        if path is not None:
            state = ledger.state(path, status)
            ledger.uses.append((self.run, process, ledger.now(), state.id, int(Use.READ)))


def keep_nameless(ledger: Ledger, name: bytes, status: os.stat_result) -> bool:
    """Keep standard input's content, a file that has been removed (a shell's here-document), under its former name."""
    if os.path.lexists(name):
        return False
    state = ledger.state(name, status)
    state.settled = True
    file = f"{ledger.run}-{state.id}"
    try:
        copy_input(ledger.snapshots.folder / file)
    except OSError:
        return False
    ledger.journal.pending["snapshots"].append((ledger.run, state.id, file, None))
    return True


def same_file(path: bytes, status: os.stat_result) -> bool:
    """Tell whether a path still leads to an open regular file."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)


def copy_input(destination: Path) -> None:
    """Copy all of the file that is standard input, whose offset stays where it is. Raises OSError."""
    reading = os.open("/proc/self/fd/0", os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            copy_content(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def hash_range(descriptor: int, begin: int, end: int) -> Kept:
    """Hash a part of a file."""
    import hashlib

    digest = hashlib.sha256()
    position = begin
    while position < end:
        data = os.pread(descriptor, min(CHUNK, end - position), position)
        if not data:
            break
        digest.update(data)
        position += len(data)
    return Kept(position - begin, 0, digest.hexdigest())
