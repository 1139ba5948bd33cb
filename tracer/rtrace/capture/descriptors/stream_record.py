"""What the trace says of a run's descriptors: what they were, what was kept, and what the input was."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from rtrace.capture.books.ledger import Ledger
from rtrace.capture.books.notices import NoticeBook
from rtrace.capture.descriptors import unkept
from rtrace.capture.descriptors.inherited import DEVICES, adopt, is_only_extended, is_there, note_extended, note_path
from rtrace.capture.descriptors.naming_ids import read_part, tell_of_ids
from rtrace.capture.processes.own_limits import may_be_replaced
from rtrace.capture.relay.interposition import Interposition
from rtrace.capture.relay.keeping import KEPT_BYTES, Kept
from rtrace.capture.relay.streams import (
    Inlet,
    Kind,
    Outlet,
    Stream,
    Streams,
    find_joined,
    find_same,
    plan_inlets,
    plan_outlets,
    read_size,
)
from rtrace.debugging import debug

NAMES = ("stdin", "stdout", "stderr")
CHUNK = 1 << 20
STANDARD = 3
"""How many descriptors are standard streams."""


class StreamRecord:
    """The rows of a run's descriptors, from its beginning to its end. ``limit`` is None for --no-capture."""

    def __init__(
        self,
        streams: Streams,
        folder: Path,
        run: int,
        *,
        others: tuple[Stream, ...] = (),
        limit: int | None = KEPT_BYTES,
    ) -> None:
        """Plan what is relayed. What is kept goes to the folder, which is made if it is needed.

        ``others`` are the descriptors besides the standard streams.
        """
        self.streams = streams
        self.others = others
        self.every = (*streams, *others)
        self.folder = folder
        self.run = run
        self.process = 0
        self.reopened: set[bytes] = set()
        self.extended: list[tuple[Stream, os.stat_result]] = []
        self.captures = limit is not None
        self.limit = limit or 0
        places: tuple[Outlet | Inlet, ...] = ()
        if self.captures:
            places = (*plan_outlets(streams, others), *plan_inlets(streams, others))
        for stream in self.every:
            access = stream.access or "not usable"
            debug(__name__, "descriptor %d: %s, %s", stream.descriptor, stream.kind.value, access)
        debug(__name__, "relayed: %s", [place.descriptors for place in places])
        if places:
            folder.mkdir(mode=0o700, exist_ok=True)
        self.files = {place: f"run{run}.{name_stream(place.descriptors[0])}" for place in places}
        self.interposition = Interposition({place: folder / file for place, file in self.files.items()}, self.limit)

    def begin(self, connection: sqlite3.Connection, ledger: Ledger, process: int) -> None:
        """Write what is known before the program begins; ``process`` is the row that its first process will have."""
        self.process = process
        joined = find_joined(self.streams)
        for stream in (*self.streams, *self.others):
            place = self._find_place(stream)
            rows, columns = read_size(stream) or (None, None)
            same = find_same(stream, self.every) if stream.descriptor >= STANDARD else None
            is_joined = int(joined and stream.descriptor == 2) if same is None else same + 1  # noqa: PLR2004
            connection.execute(
                "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, NULL, ?, NULL, NULL, NULL, 0, ?, ?, ?)",
                (
                    self.run,
                    stream.descriptor,
                    stream.kind.value,
                    is_joined,
                    self._find_path(ledger, stream) if same is None else None,
                    stream.offset if stream.kind is Kind.FILE else None,
                    self.files[place] if place is not None else None,
                    rows,
                    columns,
                    stream.access,
                ),
            )

    def _find_path(self, ledger: Ledger, stream: Stream) -> bytes | None:
        """Return the path that stands for a stream; note what the run may read there, or write besides its output."""
        if stream.kind in {Kind.FILE, Kind.FOLDER} and stream.descriptor not in (1, 2):
            status = os.fstat(stream.descriptor)
            if (
                stream.descriptor >= STANDARD
                and is_only_extended(stream, status)
                and is_there(stream.path or b"", status)
            ):
                self.extended.append((stream, status))
                return stream.path
            return note_path(ledger, self.process, stream, self.limit or KEPT_BYTES)
        if stream.kind in {Kind.NULL, Kind.DEVICE} and stream.path in DEVICES:
            return stream.path
        return stream.path if stream.kind is Kind.FILE else None

    def find_printed_to(self) -> frozenset[bytes]:
        """Return the files that take what the run prints, where that is kept."""
        files = (stream.path for stream in self.streams[1:] if stream.kind is Kind.FILE and self.captures)
        return frozenset(path for path in files if path)

    def note_unkept(self, connection: sqlite3.Connection, notices: NoticeBook) -> None:
        """Tell what comes or goes through a descriptor and is not kept. Call this after ``begin``."""
        rows = connection.execute("SELECT descriptor, path FROM streams WHERE run = ?", (self.run,))
        paths = dict(rows.fetchall())
        relayed = self.interposition.descriptors
        unkept.tell_of_input(notices, self.streams[0], path=paths[0], kept=0 in relayed)
        if self.captures:
            unkept.tell_of_output(notices, self.streams[1:])
        lost = [
            stream
            for stream in self.others
            if stream.descriptor not in relayed
            and paths[stream.descriptor] is None
            and (find_same(stream, self.every) is None or not may_be_replaced(stream.descriptor))
        ]
        unkept.tell_of_others(notices, lost)

    def note_results(self, ledger: Ledger) -> None:
        """Note the files that the run wrote to through a descriptor that it was given."""
        for stream, before in self.extended:
            note_extended(ledger, self.process, stream, before, self.limit or KEPT_BYTES)

    def finish(
        self,
        connection: sqlite3.Connection,
        kept: Mapping[Outlet | Inlet, Kept],
        ledger: Ledger,
        notices: NoticeBook,
    ) -> None:
        """Write what became of each stream; ``kept`` is what the relay says at the end."""
        for outlet in self.interposition.outlets:
            for descriptor in outlet.descriptors if outlet in kept else ():
                if descriptor and not (descriptor == 2 and find_joined(self.streams)):  # noqa: PLR2004
                    self._update(connection, descriptor, None, kept[outlet])
            unkept.tell_of_outlet(notices, outlet, kept.get(outlet))
        for inlet in self.interposition.inlets:
            unkept.tell_of_rest(notices, inlet, kept.get(inlet))
            if inlet in kept:
                self._finish_input(connection, inlet, kept[inlet], ledger)
        if self.captures:
            written = [stream for stream in self.streams[1:] if stream.kind is Kind.FILE]
            for stream in written[:1] if find_joined(self.streams) else written:
                self._finish_file(connection, stream)

    def tell_of_ids(self, connection: sqlite3.Connection, notices: NoticeBook) -> None:
        """Tell of output that names process ids of the run. Call this when all processes are written."""
        rows = connection.execute(
            'SELECT descriptor, path, ifnull("begin", 0), ifnull("end", kept), file FROM streams'
            " WHERE run = ? AND descriptor IN (1, 2) AND size > 0",
            (self.run,),
        ).fetchall()
        tell_of_ids(
            notices,
            connection,
            self.run,
            (
                (NAMES[number], unkept.WORDS[number], read_part(self.folder / file if file else path, begin, end))
                for number, path, begin, end, file in rows
                if (file or path) and end is not None
            ),
        )

    def _finish_input(self, connection: sqlite3.Connection, inlet: Inlet, kept: Kept, ledger: Ledger) -> None:
        """Put what was read from a pipe at a path, as if the run had read a file."""
        file = self.folder / self.files[inlet]
        path = None
        if kept.size or inlet.descriptors[0] == 0:
            path = adopt(ledger, self.process, inlet.descriptors[0], file)
        else:  # it may have been left open by mistake
            file.unlink()
        for descriptor in inlet.descriptors:
            self._update(connection, descriptor, None, kept)
            connection.execute(
                "UPDATE streams SET path = ?, file = NULL WHERE run = ? AND descriptor = ?",
                (path, self.run, descriptor),
            )

    def _finish_file(self, connection: sqlite3.Connection, stream: Stream) -> None:
        """Find what the run wrote to a file: the tracer shares the descriptor, and with it the offset."""
        with contextlib.suppress(OSError):
            reading = os.open(f"/proc/self/fd/{stream.descriptor}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(reading).st_size
                end = max(
                    os.lseek(other.descriptor, 0, os.SEEK_CUR)
                    for other in self.streams[1:]
                    if other.place == stream.place
                )
                # Where everything is appended, a descriptor that wrote nothing stays at 0.
                end = size if end < stream.offset or end > size or stream.path in self.reopened else end
                self._update(connection, stream.descriptor, end, hash_range(reading, stream.offset, end))
            finally:
                os.close(reading)

    def _update(self, connection: sqlite3.Connection, descriptor: int, end: int | None, kept: Kept) -> None:
        connection.execute(
            'UPDATE streams SET "end" = ?, kept = ?, size = ?, sha256 = ?, cut = ? WHERE run = ? AND descriptor = ?',
            (end, kept.kept, kept.size, kept.sha256, int(kept.cut), self.run, descriptor),
        )

    def _find_place(self, stream: Stream) -> Outlet | Inlet | None:
        """Return the place where a stream is kept: its row names the file. What is typed is kept with the output."""
        for place in self.files:
            if stream.descriptor in place.descriptors and (stream.descriptor or isinstance(place, Inlet)):
                return place
        return None


def name_stream(descriptor: int) -> str:
    """Return the name of a standard stream, and the number of any other descriptor."""
    return NAMES[descriptor] if descriptor < STANDARD else str(descriptor)


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
