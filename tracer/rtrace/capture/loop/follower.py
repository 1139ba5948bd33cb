"""The tracer's loop, in two threads that each block in the kernel until there is something to do.

    main thread      wait4              -> a stop or an end of some thread -> handle it -> let it go on
    listener thread  receive            -> a call of some thread           -> observe it -> answer "continue"
    flushing thread  once a second      -> commit what was noted

The threads take turns by one lock. With an engine that listens no system call ever stops under ptrace; the others have
no listener, and calls are stops. Two blocking threads save the poll(2) for each call, and the SIGCHLD and its wake-up
for each stop, that one thread needs to wait for both (measured: 8 % of the time of opens, 15 % of that of processes).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rtrace.capture.books.journal import FLUSH_SECONDS
from rtrace.capture.calls.recorder import Recorder
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.loop.deliveries import Deliveries
from rtrace.capture.loop.launch import Launched
from rtrace.capture.loop.listener import make_server
from rtrace.capture.loop.passing_on import TAKEN
from rtrace.capture.loop.process_tree import ProcessTree
from rtrace.capture.loop.stops import StopHandler
from rtrace.capture.processes.threads import start_thread
from rtrace.linux.ptrace import WALL
from rtrace.linux.version import kernel_version

if TYPE_CHECKING:
    from rtrace.freezing.model import Freeze


def make_stop_handler(
    deliveries: Deliveries,
    launched: Launched,
    architectures: dict[int, Architecture],
    recorder: Recorder,
    tree: ProcessTree,
    freeze: Freeze | None,
) -> StopHandler:
    """Return what takes the stops of a tree; a run that is not frozen does not load what freezes."""
    if freeze is not None:
        from rtrace.freezing.starting import can_answer

        if can_answer():
            from rtrace.capture.loop.freezing import FreezingStopHandler

            return FreezingStopHandler(deliveries, launched.engine, architectures, recorder, tree, freeze)
    return StopHandler(deliveries, launched.engine, architectures, recorder, tree)


class Follower:
    """Serves one process tree. To be used by the thread that seized it: ptrace(2) answers no other."""

    def __init__(
        self,
        launched: Launched,
        architectures: tuple[Architecture, ...],
        recorder: Recorder,
        tree: ProcessTree,
        deliveries: Deliveries,
        on_waiting: Callable[[tuple[str, ...]], None],
        freeze: Freeze | None = None,
    ) -> None:
        """Take over a seized process; ``deliveries`` is told of its signals, ``on_waiting`` of what outlives it.

        With ``freeze`` what its programs find by chance is pinned.
        """
        by_audit = {architecture.audit: architecture for architecture in architectures}
        self.launched = launched
        self.recorder = recorder
        self.tree = tree
        self.on_waiting = on_waiting
        self.lock = threading.Lock()
        self.stops = make_stop_handler(deliveries, launched, by_audit, recorder, tree, freeze)
        tree.born(launched.pid, None)
        if launched.listener >= 0:
            serve = make_server(launched.listener, by_audit, recorder, tree, self.lock)
            start_thread(serve_until_hung_up, serve, launched.listener)

    def follow(self, *, until_main_ends: bool = False) -> int | None:
        """Serve the tree until its last process ended; return the wait status of its first process.

        With ``until_main_ends``, return as soon as the first process ended; ``linger`` serves the rest of the tree.
        """
        stops = self.stops
        with self._flushed():
            while self.tree.tracees and self._take_next():
                if until_main_ends and stops.main_status is not None:
                    return stops.main_status
            if self.launched.listener >= 0:
                wait_for_hang_up(self.launched.listener)
        return stops.main_status

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Take no more notes from here on, and serve no call while the block runs."""
        with self.lock:
            self.recorder.close()
            yield

    def linger(self) -> None:
        """Let what is left of the tree run until it ends by itself, then close the listener.

        Where a filter makes some calls stop, the processes stay traced: the kernel refuses such a call to a process
        without a tracer. No signal that can be caught ends this.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, TAKEN)
        with self.lock:
            if self.tree.tracees and self.launched.engine.stops_at_every_call:
                self.stops.let_go()
        while self.tree.tracees and self._take_next():
            pass
        if self.launched.listener >= 0:
            wait_for_hang_up(self.launched.listener)
            os.close(self.launched.listener)

    def _take_next(self) -> bool:
        try:
            tid, status, usage = os.wait4(-1, WALL)
        except ChildProcessError:
            return False
        with self.lock:
            self.stops.take(tid, status, usage)
        return True

    @contextlib.contextmanager
    def _flushed(self) -> Iterator[None]:
        """Commit what was noted about once a second, as long as the block runs."""
        done = threading.Event()
        journal = self.recorder.ledger.journal

        def flush() -> None:
            told = False
            while not done.wait(FLUSH_SECONDS):
                with self.lock:
                    taken = journal.take()
                    left = self.tree.name_programs() if self.stops.main_status is not None and not told else ()
                with contextlib.suppress(sqlite3.Error):  # tried again in a second, and told at the end
                    journal.write(taken)  # without the lock: the program goes on meanwhile
                if left:
                    told = True
                    self.on_waiting(left)

        thread = start_thread(flush)
        try:
            yield
        finally:
            done.set()
            thread.join()


def wait_for_hang_up(listener: int) -> None:
    """Wait until no process is under the filter any more, those unknown to ptrace included.

    Before Linux 5.9 the kernel does not tell, and such a process loses its listener when the tracer ends.
    """
    poller = select.poll()
    poller.register(listener, 0)
    if kernel_version() >= (5, 9):
        poller.poll()


def serve_until_hung_up(serve: Callable[[], None], listener: int) -> None:
    """Serve notifications until the last process under the filter is gone, or the listener is closed.

    Since Linux 6.10 the kernel wakes a receiver then; before, this thread stays blocked, and ends with the tracer.
    """
    poller = select.poll()
    poller.register(listener, 0)
    with contextlib.suppress(OSError):
        while True:
            serve()
            if poller.poll(0):
                return
