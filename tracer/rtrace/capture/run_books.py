"""The books of one run, from what is known before it begins to what is known when it has ended."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from rtrace.capture.books.journal import Journal
from rtrace.capture.books.ledger import Ledger
from rtrace.capture.books.notices import NoticeBook
from rtrace.capture.books.results import record_results
from rtrace.capture.books.rows import INSERT_RUN, RunRow
from rtrace.capture.books.snapshots import SNAPSHOT_LIMIT, SnapshotTaker
from rtrace.capture.calls.context import Context
from rtrace.capture.descriptors.stream_record import StreamRecord
from rtrace.capture.descriptors.unkept import tell_of_fifos
from rtrace.capture.host import describe_host
from rtrace.capture.loop.command import Command
from rtrace.capture.loop.process_tree import ProcessTree
from rtrace.capture.processes.dispositions import describe_unusual
from rtrace.capture.relay.keeping import KEPT_BYTES, Kept
from rtrace.capture.relay.streams import Given, Inlet, Outlet
from rtrace.trace.directory import TraceDirectory


class RunOptions(NamedTuple):
    """What to keep of a run, and what the caller wants to be told while it goes on.

    ``on_start`` is called when the tracer is ready and before the program begins; ``on_waiting`` with the programs that
    outlive the command, once it has ended; ``on_loss`` with what is being lost, and what to do about it. With
    ``detach_daemons`` those that outlive it are not waited for. ``keep`` is how many bytes of standard output and error
    are kept, None to leave them alone; ``snapshot_limit`` how many the copies of what is changed may take. ``hidden``
    is the folder that was made for the trace, and ``shortcoming`` what is to be told of that, and what to do about it.
    ``name`` is what the run is called; None for its number.
    """

    on_start: Callable[[], None]
    on_waiting: Callable[[tuple[str, ...]], None]
    on_loss: Callable[[str, str], None]
    detach_daemons: bool = False
    keep: int | None = KEPT_BYTES
    snapshot_limit: int = SNAPSHOT_LIMIT
    hidden: bytes = b""
    shortcoming: tuple[str, str] | None = None
    name: str | None = None


class Books(NamedTuple):
    """All that is written of one run."""

    run: int
    journal: Journal
    notices: NoticeBook
    snapshots: SnapshotTaker
    ledger: Ledger
    context: Context
    tree: ProcessTree
    record: StreamRecord


def open_books(
    run: int,
    directory: TraceDirectory,
    connection: sqlite3.Connection,
    given: Given,
    options: RunOptions,
    *,
    silent: bool,
) -> Books:
    """Return the empty books of a run; unless ``silent``, what is lost is told at once."""
    journal = Journal(connection)
    ids = {path: number for number, path in connection.execute("SELECT id, path FROM paths")} if run > 1 else {}
    notices = NoticeBook(journal, run, options.hidden or os.fsencode(directory.path))
    if options.shortcoming is not None:
        notices.add("trace-directory", *options.shortcoming)
    unusual = describe_unusual()
    if unusual is not None:
        notices.add(
            "signals", f"the run found {unusual}", "a replay does not; trace where it finds none, if that matters"
        )

    def tell_of_loss(what: str, advice: str) -> None:
        notices.add("snapshot", what, advice)
        if not silent:
            options.on_loss(what, advice)

    snapshots = SnapshotTaker(directory.snapshots, options.snapshot_limit, tell_of_loss)
    ledger = Ledger(journal, run, snapshots, ids)
    ledger.hidden = notices.trace
    context = Context(ledger, notices, next_row(connection, "environments"))
    tree = ProcessTree(context, next_row(connection, "processes"))
    record = StreamRecord(given.streams, directory.streams, run, others=given.others, limit=options.keep)
    context.printed_to, context.reopened = record.find_printed_to(), record.reopened
    return Books(run, journal, notices, snapshots, ledger, context, tree, record)


def begin_books(books: Books, connection: sqlite3.Connection) -> None:
    """Write what is known of a run before its program begins."""
    books.record.begin(connection, books.ledger, books.tree.next_row)
    books.ledger.begin()
    books.record.note_unkept(connection, books.notices)


def close_books(books: Books, connection: sqlite3.Connection, kept: Mapping[Outlet | Inlet, Kept]) -> None:
    """Write what is known of a run when it has ended; ``kept`` is what was kept of its streams."""
    books.snapshots.finish()
    books.context.finish_talks()
    books.notices.finish()
    books.record.note_results(books.ledger)
    record_results(books.ledger)
    books.record.finish(connection, kept, books.ledger, books.notices)
    books.journal.flush()
    books.record.tell_of_ids(connection, books.notices)
    if books.notices.fifos:
        tell_of_fifos(connection, books.run, books.notices)
    books.journal.flush()


def next_row(connection: sqlite3.Connection, table: str) -> int:
    """Return the first free id of a table."""
    highest = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]  # noqa: S608 - a name of ours
    return (highest or 0) + 1


def add_run(connection: sqlite3.Connection, command: Command, name: str | None) -> int:
    """Add a run with all that is known before it begins; return its id."""
    host = describe_host()
    run = next_row(connection, "runs")
    umask = os.umask(0)
    os.umask(umask)
    row = RunRow(
        id=run,
        name=name or f"run{run}",
        argv=b"".join(item + b"\0" for item in command.argv),
        environ=b"".join(item + b"\0" for item in command.environ),
        binary=command.binary,
        workingdir=os.getcwdb(),
        uid=os.geteuid(),
        gid=os.getegid(),
        groups=" ".join(map(str, os.getgroups())),
        umask=umask,
        hostname=host.hostname,
        architecture=host.architecture,
        sysname=host.sysname,
        release=host.release,
        distribution=host.distribution,
        distribution_version=host.distribution_version,
        engine="",
        started=time.time(),
    )
    connection.execute(INSERT_RUN, row)
    return run
