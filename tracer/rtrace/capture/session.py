"""One `rtrace trace`: from a command line to a trace directory that holds one run more."""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rtrace.capture.books.journal import Journal
from rtrace.capture.books.ledger import Ledger
from rtrace.capture.books.notices import NoticeBook
from rtrace.capture.books.results import record_results
from rtrace.capture.books.rows import INSERT_RUN, RunRow
from rtrace.capture.books.snapshots import SNAPSHOT_LIMIT, SnapshotTaker
from rtrace.capture.calls.context import Context
from rtrace.capture.calls.recorder import Recorder
from rtrace.capture.descriptors.stream_record import StreamRecord
from rtrace.capture.descriptors.unkept import tell_of_fifos
from rtrace.capture.host import describe_host
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.loop.engines import choose_engines
from rtrace.capture.loop.follower import Follower
from rtrace.capture.loop.launch import Command, Launched, launch
from rtrace.capture.loop.passing_on import signals_passed_on
from rtrace.capture.loop.process_tree import ProcessTree
from rtrace.capture.processes.dispositions import describe_unusual, heed_children
from rtrace.capture.relay.interposition import Interposition, interposed
from rtrace.capture.relay.keeping import KEPT_BYTES
from rtrace.capture.relay.streams import Given, Kind
from rtrace.errors import CommandNotExecutableError
from rtrace.linux.credentials import may_look_into_all
from rtrace.trace.directory import TraceDirectory


class Watch(NamedTuple):
    """What a caller wants to be told while a run goes on, and how long it wants to wait.

    ``on_start`` is called when the tracer is ready and before the program begins; ``on_waiting`` with the programs that
    outlive the command, once it has ended; ``on_loss`` with what is being lost, and what to do about it. With
    ``detach_daemons`` those that outlive it are not waited for. ``keep`` is how many bytes of standard output and error
    are kept, None to leave them alone; ``snapshot_limit`` how many the copies of what is changed may take. ``hidden``
    is the folder that was made for the trace, and ``shortcoming`` what is to be told of that, and what to do about it.
    """

    on_start: Callable[[], None]
    on_waiting: Callable[[tuple[str, ...]], None]
    on_loss: Callable[[str, str], None]
    detach_daemons: bool = False
    keep: int | None = KEPT_BYTES
    snapshot_limit: int = SNAPSHOT_LIMIT
    hidden: bytes = b""
    shortcoming: tuple[str, str] | None = None


class Traced(NamedTuple):
    """How a traced run ended, and when its program began and ended (seconds of time.monotonic).

    ``linger`` serves the processes that were not waited for until they end; without them it returns at once.
    """

    exit_code: int | None
    signal: int | None
    began: float
    ended: float
    linger: Callable[[], None]

    @property
    def exit_status(self) -> int:
        """The status a shell would show: the exit code, or 128+N when signal N ended the run."""
        return 128 + self.signal if self.signal is not None else self.exit_code or 0


def trace_command(
    command: Command,
    architectures: tuple[Architecture, ...],
    directory: TraceDirectory,
    connection: sqlite3.Connection,
    given: Given,
    watch: Watch,
) -> Traced:
    """Run a command under the tracer and write all that it did to an open trace database, as one run more.

    ``given`` are the descriptors as they were before anything was opened.
    Raises TracingRefusedError before the program begins, CommandNotExecutableError when the kernel refuses its file.
    """
    gc.disable()  # what the tracer keeps has no cycles, and looking for some takes a fifth of its time
    run = add_run(connection, command)
    journal = Journal(connection)
    ids = {path: number for number, path in connection.execute("SELECT id, path FROM paths")} if run > 1 else {}
    notices = NoticeBook(journal, run, watch.hidden or os.fsencode(directory.path))
    if watch.shortcoming is not None:
        notices.add("trace-directory", *watch.shortcoming)
    # What is said while the run writes to the same file would be taken for the run's own words.
    silent = watch.keep is not None and given.streams[2].kind is Kind.FILE

    def tell_of_loss(what: str, advice: str) -> None:
        notices.add("snapshot", what, advice)
        if not silent:
            watch.on_loss(what, advice)

    def tell_of_waiting(programs: tuple[str, ...]) -> None:
        if not silent:
            watch.on_waiting(programs)

    unusual = describe_unusual()
    if unusual is not None:
        notices.add("signals", f"the run found {unusual}", "a replay finds none so; trace where none are if it matters")
    snapshots = SnapshotTaker(directory.snapshots, watch.snapshot_limit, tell_of_loss)
    ledger = Ledger(journal, run, snapshots, ids)
    ledger.hidden = notices.trace
    context = Context(ledger, notices, next_row(connection, "environments"))
    tree = ProcessTree(context, next_row(connection, "processes"))
    record = StreamRecord(given.streams, directory.streams, run, others=given.others, limit=watch.keep)
    context.printed_to, context.reopened = record.find_printed_to(), record.reopened
    began = time.monotonic()
    try:
        with launched_tree(command, architectures, record.interposition) as launched:
            watch.on_start()
            record.begin(connection, ledger, tree.next_row)
            ledger.begin()
            record.note_unkept(connection, context.notices)
            connection.execute("UPDATE runs SET engine = ? WHERE id = ?", (launched.engine.name, run))
            parent = os.getppid() if watch.detach_daemons else 0
            with signals_passed_on(launched.pid, parent, tree, record.interposition) as deliveries:
                follower = Follower(launched, architectures, Recorder(context), tree, deliveries, tell_of_waiting)
                launched.channel.send(b"go")
                status = follower.follow(until_main_ends=watch.detach_daemons)
                kept = record.interposition.finish()
    except BaseException:
        journal.flush()
        raise
    ended = time.monotonic()
    with follower.paused():
        snapshots.finish()
        context.finish_talks()
        notices.finish()
        record.note_results(ledger)
        record_results(ledger)
        record.finish(connection, kept, ledger, context.notices)
        journal.flush()
        record.tell_of_ids(connection, notices)
        if notices.fifos:
            tell_of_fifos(connection, run, notices)
        journal.flush()
        context.forget_everything()  # what comes next needs the memory
    killed = status is not None and os.WIFSIGNALED(status)
    traced = Traced(
        exit_code=None if status is None or killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if status is not None and killed else None,
        began=began,
        ended=ended,
        linger=follower.linger,
    )
    connection.execute(
        "UPDATE runs SET finished = ?, exit_code = ?, signal = ? WHERE id = ?",
        (time.time(), traced.exit_code, traced.signal, run),
    )
    return traced


@contextlib.contextmanager
def launched_tree(
    command: Command, architectures: tuple[Architecture, ...], interposition: Interposition
) -> Iterator[Launched]:
    """Start the command, waiting to be let go, for as long as the block runs.

    Raises CommandNotExecutableError at the end of the block when the kernel refused to execute the file.
    """
    exposing = not may_look_into_all()
    programs = {engine: engine.build_program(architectures, exposing=exposing) for engine in choose_engines()}
    heed_children()
    with interposed(interposition):
        launched = launch(command, programs, interposition.fork)
        with launched.channel:
            yield launched
            refusal = launched.channel.recv(64)
    if refusal:
        reason = os.strerror(int(refusal.split()[-1]))
        raise CommandNotExecutableError(
            f"{os.fsdecode(command.binary)} cannot be executed ({reason}); check its format"
        )


def next_row(connection: sqlite3.Connection, table: str) -> int:
    """Return the first free id of a table."""
    highest = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]  # noqa: S608 - a name of ours
    return (highest or 0) + 1


def add_run(connection: sqlite3.Connection, command: Command) -> int:
    """Add a run with all that is known before it begins; return its id."""
    host = describe_host()
    run = next_row(connection, "runs")
    umask = os.umask(0)
    os.umask(umask)
    row = RunRow(
        id=run,
        name=f"run{run}",
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
