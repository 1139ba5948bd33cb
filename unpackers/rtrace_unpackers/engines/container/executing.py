"""Run the engine's command for one replay: its streams are pumped, its limits watched."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rtrace import interrupts
from rtrace.limits import Limits
from rtrace.replay.protocol import Streams
from rtrace_unpackers.engines.container import console
from rtrace_unpackers.engines.container.counted_output import Allowance, TellingPump
from rtrace_unpackers.isolation.streams.terminal import copy_size

ENDING_TIME = 20.0
"""Seconds that a container which was killed gets to end, before the engine's command is."""
READING_TIME = 1.0
"""Seconds that a caller gets to read what a program wrote which a limit or signal ended."""
LOOK_AGAIN = 0.2
"""Seconds at least between two looks at what was written to the disk."""


class Starter(Protocol):
    """What can start a command that runs a program elsewhere: a container engine, an emulator."""

    def start(self, arguments: Sequence[str], streams: tuple[int, int, int]) -> subprocess.Popen[bytes]:
        """Start it with these streams."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The engine's command ended, with this status; a negative one is the signal that ended it."""

    status: int


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit was reached."""

    limit: str


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal asks the caller to end."""

    number: int


@dataclass(frozen=True, slots=True)
class Unwritable:
    """What the program prints cannot be passed on."""

    error: OSError


Cause = Reached | Signalled | Unwritable
Events = queue.SimpleQueue[Ended | Cause]


@dataclass(frozen=True, slots=True)
class ContainerHandle:
    """A way to kill a container, and to measure what was written in it."""

    kill: Callable[[], None]
    measure: Callable[[], int]


def is_terminal(streams: Streams) -> bool:
    """Whether a program gets a terminal: its input and output are both one."""
    return os.isatty(streams.stdin) and os.isatty(streams.stdout)


def is_joined(streams: Streams) -> bool:
    """Whether output and error are one file: their order is kept only if they are one in the container, too."""
    return streams.stdout == streams.stderr or os.path.sameopenfile(streams.stdout, streams.stderr)


def execute(
    engine: Starter,
    arguments: Sequence[str],
    streams: Streams,
    limits: Limits,
    container: ContainerHandle,
    *,
    knows_terminals: bool = True,
) -> tuple[int, Cause | None]:
    """Call the engine with these streams; return its status, and what ended it before it would have ended."""
    events: Events = queue.SimpleQueue()
    allowance = Allowance(limits.output)

    def tell(error: OSError | None) -> None:
        events.put(Reached("output") if error is None else Unwritable(error))

    connect = connect_terminal if knows_terminals and is_terminal(streams) else connect_pipes
    with ending_at_signals(events), connect(engine, arguments, streams, allowance, tell) as (process, pumps):
        threading.Thread(target=lambda: events.put(Ended(process.wait())), daemon=True).start()
        with watching_disk(limits.disk, container.measure, events):
            status, cause = wait(events, process, limits.timeout, container.kill)
    for pump in pumps:
        pump.join(None if cause is None else READING_TIME)
    return status, cause


def wait(
    events: Events, process: subprocess.Popen[bytes], timeout: float | None, kill: Callable[[], None]
) -> tuple[int, Cause | None]:
    """Wait for the end, and bring it about when there is a cause."""
    cause: Cause | None = None
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            event = events.get(timeout=None if deadline is None else max(0, deadline - time.monotonic()))
        except queue.Empty:
            event = Reached("timeout")
            if cause is not None:  # the engine does not end it
                process.kill()
        if isinstance(event, Ended):
            return event.status, cause
        if cause is None:
            cause = event
            kill()
        deadline = time.monotonic() + ENDING_TIME


Connected = tuple[subprocess.Popen[bytes], tuple[TellingPump, ...]]
Tell = Callable[[OSError | None], None]


@contextlib.contextmanager
def connect_pipes(
    engine: Starter, arguments: Sequence[str], streams: Streams, allowance: Allowance, tell: Tell
) -> Iterator[Connected]:
    """Start the engine's command with pipes for its output, and pumps behind them."""
    with contextlib.ExitStack() as stack:
        ends = []
        pumps = []
        for sink in (streams.stdout, streams.stderr):
            source, end = os.pipe()
            stack.callback(os.close, end)
            ends.append(end)
            pumps.append(TellingPump(source, sink, allowance, tell))
        process = engine.start(arguments, (streams.stdin, ends[0], ends[1]))
        stack.close()
        for pump in pumps:
            pump.start()
        with ended_at_last(process):
            yield process, tuple(pumps)


@contextlib.contextmanager
def connect_terminal(
    engine: Starter, arguments: Sequence[str], streams: Streams, allowance: Allowance, tell: Tell
) -> Iterator[Connected]:
    """Start the engine's command at a terminal that is like the caller's; that one is raw meanwhile."""
    if os.name != "posix":  # a console, which is no descriptor: the command gets it as it is
        process = engine.start(arguments, (streams.stdin, streams.stdout, streams.stderr))
        with ended_at_last(process):
            yield process, ()
        return
    master, slave = console.make_like(streams.stdin)
    try:
        source = os.dup(master)
        pump = TellingPump(source, streams.stdout, allowance, tell)
        process = engine.start(arguments, (slave, slave, slave if os.isatty(streams.stderr) else streams.stderr))
        os.close(slave)

        def resize(*_: object) -> None:
            copy_size(streams.stdin, master)
            process.send_signal(signal.SIGWINCH)

        pump.start()
        with ended_at_last(process), console.raw_console(streams.stdin), console.handling(signal.SIGWINCH, resize):
            with console.typing(streams.stdin, master):
                yield process, (pump,)
            pump.join(READING_TIME)
    finally:
        os.close(master)


@contextlib.contextmanager
def ended_at_last(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the engine's command if it still runs when the block ends."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def ending_at_signals(events: Events) -> Iterator[None]:
    """Turn signals that ask this process to end into events; those that it ignores stay ignored.

    Only the main thread can do this; elsewhere signals do what they did before.
    """

    def tell(number: int, _frame: object) -> None:
        events.put(Signalled(number))
        interrupts.note(number)

    with contextlib.ExitStack() as stack:
        for name in ("SIGHUP", "SIGINT", "SIGTERM"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                stack.enter_context(console.handling(number, tell))
        yield


@contextlib.contextmanager
def watching_disk(limit: int | None, measure: Callable[[], int], events: Events) -> Iterator[None]:
    """Make an event of it when more than a limit has been written."""
    if limit is None:
        yield
        return
    is_over = threading.Event()

    def watch() -> None:
        pause = LOOK_AGAIN
        while not is_over.wait(pause):
            began = time.monotonic()
            if measure() > limit:
                events.put(Reached("disk"))
                return
            pause = max(LOOK_AGAIN, time.monotonic() - began)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()
