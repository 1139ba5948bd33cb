"""One `rtrace trace`: from a command line to a trace directory that holds one run more."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from rtrace.capture import kernel
from rtrace.capture.architecture import Architecture
from rtrace.capture.bpf import build_filter
from rtrace.capture.context import Context
from rtrace.capture.engine import follow_tree
from rtrace.capture.journal import Journal
from rtrace.capture.launch import Command, launch
from rtrace.capture.ledger import Ledger
from rtrace.capture.modes import Mode, choose_modes
from rtrace.capture.notices import NoticeBook
from rtrace.capture.recorder import Recorder
from rtrace.capture.results import record_results
from rtrace.capture.tree import ProcessTree
from rtrace.errors import CommandNotExecutableError
from rtrace.host import describe_host
from rtrace.trace.directory import TraceDirectory

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True, slots=True)
class Traced:
    """How a traced run ended, and when its program began and ended (seconds of time.monotonic)."""

    exit_code: int | None
    signal: int | None
    began: float
    ended: float

    @property
    def exit_status(self) -> int:
        """The status a shell would show: the exit code, or 128+N when signal N ended the run."""
        return 128 + self.signal if self.signal is not None else self.exit_code or 0


def trace_command(
    command: Command,
    architectures: tuple[Architecture, ...],
    directory: TraceDirectory,
    connection: sqlite3.Connection,
    *,
    on_start: Callable[[], None],
) -> Traced:
    """Run a command under the tracer and write all that it did to an open trace database, as one run more.

    ``on_start`` is called when the tracer is ready and before the program begins. Raises TracingRefusedError before
    that, CommandNotExecutableError when the kernel then refuses the file.
    """
    run = add_run(connection, command)
    journal = Journal(connection)
    ids = {path: number for number, path in connection.execute("SELECT id, path FROM paths")} if run > 1 else {}
    ledger = Ledger(journal, run, directory.snapshots, ids)
    context = Context(ledger, NoticeBook(journal, run), next_row(connection, "environments"))
    recorder = Recorder(context)
    tree = ProcessTree(ledger, context.tracees, next_row(connection, "processes"))

    def begin(mode: Mode) -> None:
        on_start()
        connection.execute("UPDATE runs SET engine = ? WHERE id = ?", (mode.value, run))

    began = time.monotonic()
    try:
        status = follow(command, architectures, recorder, tree, begin)
    except BaseException:
        journal.flush()
        raise
    ended = time.monotonic()
    record_results(ledger)
    journal.flush()
    killed = status is not None and os.WIFSIGNALED(status)
    traced = Traced(
        exit_code=None if status is None or killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if status is not None and killed else None,
        began=began,
        ended=ended,
    )
    connection.execute(
        "UPDATE runs SET finished = ?, exit_code = ?, signal = ? WHERE id = ?",
        (time.time(), traced.exit_code, traced.signal, run),
    )
    return traced


def follow(
    command: Command,
    architectures: tuple[Architecture, ...],
    recorder: Recorder,
    tree: ProcessTree,
    on_start: Callable[[Mode], None],
) -> int | None:
    """Start the command and follow its process tree to the end; return the wait status of its first process."""
    verdicts = {Mode.NOTIFY: kernel.SECCOMP_RET_USER_NOTIF, Mode.SECCOMP: kernel.SECCOMP_RET_TRACE}
    filters = {
        mode: build_filter(architectures, verdicts[mode]) if mode in verdicts else b"" for mode in choose_modes()
    }
    with signals_forwarded() as targets:
        launched = launch(command, filters)
        targets.append(launched.pid)
        try:
            on_start(launched.mode)
            launched.channel.send(b"go")
            status = follow_tree(launched, architectures, recorder, tree)
        finally:
            if launched.listener >= 0:
                os.close(launched.listener)
        with launched.channel:
            refusal = launched.channel.recv(64)
    if refusal:
        reason = os.strerror(int(refusal.split()[-1]))
        raise CommandNotExecutableError(
            f"{os.fsdecode(command.binary)} cannot be executed ({reason}); check its format"
        )
    return status


@contextlib.contextmanager
def signals_forwarded() -> Iterator[list[int]]:
    """Pass SIGTERM and SIGHUP on to the traced program; leave the terminal's SIGINT and SIGQUIT to it.

    Yields the list of process ids to pass signals on to. A second signal of the same number kills. A signal that was
    ignored stays ignored.
    """
    targets: list[int] = []
    seen: set[int] = set()

    def handle(number: int, _frame: FrameType | None) -> None:
        if number in (signal.SIGTERM, signal.SIGHUP):
            for pid in targets:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if number in seen else number)
            seen.add(number)

    before = {number: signal.getsignal(number) for number in FORWARDED}
    for number, disposition in before.items():
        if disposition is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield targets
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition)


def next_row(connection: sqlite3.Connection, table: str) -> int:
    """Return the first free id of a table."""
    highest = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0]  # noqa: S608 - a name of ours
    return (highest or 0) + 1


def add_run(connection: sqlite3.Connection, command: Command) -> int:
    """Add a run with all that is known before it begins; return its id."""
    host = describe_host()
    run = next_row(connection, "runs")
    workingdir = os.getcwdb()
    umask = os.umask(0)
    os.umask(umask)
    binary = command.binary if command.binary.startswith(b"/") else workingdir + b"/" + command.binary
    connection.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
        (
            run,
            f"run{run}",
            b"".join(item + b"\0" for item in command.argv),
            b"".join(item + b"\0" for item in command.environ),
            binary,
            workingdir,
            os.geteuid(),
            os.getegid(),
            " ".join(map(str, os.getgroups())),
            umask,
            host.hostname,
            host.architecture,
            host.sysname,
            host.release,
            host.distribution,
            host.distribution_version,
            "",
            time.time(),
        ),
    )
    return run
