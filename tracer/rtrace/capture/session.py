"""One `rtrace trace`: from a command line to a trace directory that holds one run more."""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rtrace.capture.calls.recorder import Recorder
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.loop.command import Command
from rtrace.capture.loop.engines import choose_engines
from rtrace.capture.loop.follower import Follower
from rtrace.capture.loop.launch import Launched, launch
from rtrace.capture.loop.passing_on import signals_passed_on
from rtrace.capture.processes.dispositions import heed_children
from rtrace.capture.relay.interposition import Interposition, interposed
from rtrace.capture.relay.streams import Given, Kind
from rtrace.capture.run_books import RunOptions, add_run, begin_books, close_books, open_books
from rtrace.debugging import debug
from rtrace.errors import CommandNotExecutableError
from rtrace.linux.credentials import may_look_into_all
from rtrace.trace.directory import TraceDirectory


class FinishedRun(NamedTuple):
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
    options: RunOptions,
) -> FinishedRun:
    """Run a command under the tracer and write all that it did to an open trace database, as one run more.

    ``given`` are the descriptors as they were before anything was opened.
    Raises TracingRefusedError before the program begins, CommandNotExecutableError when the kernel refuses its file.
    """
    gc.disable()  # what the tracer keeps has no cycles, and looking for some takes a fifth of its time
    # What is said while the run writes to the same file would be taken for the run's own words.
    silent = options.keep is not None and given.streams[2].kind is Kind.FILE

    def tell_of_waiting(programs: tuple[str, ...]) -> None:
        if not silent:
            options.on_waiting(programs)

    books = open_books(add_run(connection, command, options.name), directory, connection, given, options, silent=silent)
    context, record = books.context, books.record
    began = time.monotonic()
    try:
        with launched_tree(command, architectures, record.interposition) as launched:
            options.on_start()
            begin_books(books, connection)
            connection.execute("UPDATE runs SET engine = ? WHERE id = ?", (launched.engine.name, books.run))
            parent = os.getppid() if options.detach_daemons else 0
            with signals_passed_on(launched.pid, parent, books.tree, record.interposition) as deliveries:
                recorder = Recorder(context)
                follower = Follower(
                    launched, architectures, recorder, books.tree, deliveries, tell_of_waiting, command.freeze
                )
                debug(__name__, "ready after %.3f s", time.monotonic() - began)
                launched.channel.send(b"go")
                status = follower.follow(until_main_ends=options.detach_daemons)
                debug(__name__, "the run ended after %.3f s", time.monotonic() - began)
                kept = record.interposition.finish()
    except BaseException:
        books.journal.flush()
        raise
    ended = time.monotonic()
    with follower.paused():
        close_books(books, connection, kept)
        debug(__name__, "%d paths; books closed in %.3f s", len(books.ledger.states), time.monotonic() - ended)
        context.forget_everything()  # what comes next needs the memory
    finished = finish_run(status, began, ended, follower.linger)
    connection.execute(
        "UPDATE runs SET finished = ?, exit_code = ?, signal = ? WHERE id = ?",
        (time.time(), finished.exit_code, finished.signal, books.run),
    )
    return finished


def finish_run(status: int | None, began: float, ended: float, linger: Callable[[], None]) -> FinishedRun:
    """Return how a run ended, by the wait status of its first process, which is None if nobody knows it."""
    killed = status is not None and os.WIFSIGNALED(status)
    return FinishedRun(
        exit_code=None if status is None or killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if status is not None and killed else None,
        began=began,
        ended=ended,
        linger=linger,
    )


@contextlib.contextmanager
def launched_tree(
    command: Command, architectures: tuple[Architecture, ...], interposition: Interposition
) -> Iterator[Launched]:
    """Start the command, which waits to be let go, for as long as the block runs.

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
