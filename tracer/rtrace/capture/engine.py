"""The tracer's loop, in two threads that each block in the kernel until there is something to do.

    main thread      waitpid            -> a stop or an end of some thread -> handle it -> let it go on
    listener thread  receive            -> a call of some thread           -> observe it -> answer "continue"
    flushing thread  once a second      -> commit what was noted

The threads take turns by one lock. In mode NOTIFY no system call ever stops under ptrace; in the other modes there is
no listener, and calls are stops. Two blocking threads save the poll(2) for each call, and the SIGCHLD and its wake-up
for each stop, that one thread needs to wait for both (measured: 8 % of the time of opens, 15 % of that of processes).
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable, Iterator

from rtrace.capture import kernel
from rtrace.capture.architecture import Architecture
from rtrace.capture.journal import FLUSH_SECONDS, Journal
from rtrace.capture.launch import Launched
from rtrace.capture.listener import make_server
from rtrace.capture.modes import kernel_version
from rtrace.capture.recorder import Recorder
from rtrace.capture.stops import StopHandler
from rtrace.capture.tree import ProcessTree


def follow_tree(
    launched: Launched, architectures: tuple[Architecture, ...], recorder: Recorder, tree: ProcessTree
) -> int | None:
    """Serve a process tree until its last process ended; return the wait status of its first process.

    Must be called by the thread that seized the process: ptrace(2) answers no other.
    """
    by_audit = {architecture.audit: architecture for architecture in architectures}
    lock = threading.Lock()
    stops = StopHandler(launched.pid, launched.mode, by_audit, recorder, tree)
    tree.born(launched.pid, None)
    if launched.listener >= 0:
        serve = make_server(launched.listener, by_audit, recorder, tree, lock)
        threading.Thread(target=serve_until_hung_up, args=(serve,), daemon=True).start()
    waitpid, take = os.waitpid, stops.take
    with flushed(recorder.ledger.journal, lock):
        while tree.tracees.keys() - tree.untraced:
            try:
                tid, status = waitpid(-1, kernel.WALL)
            except ChildProcessError:
                break
            with lock:
                take(tid, status)
        if launched.listener >= 0:
            wait_for_hang_up(launched.listener)
    return stops.main_status


def wait_for_hang_up(listener: int) -> None:
    """Wait until no process is under the filter any more, also none that ptrace never knew (CLONE_UNTRACED).

    Before Linux 5.9 the kernel does not tell, and such a process loses its listener with the tracer.
    """
    poller = select.poll()
    poller.register(listener, 0)
    if kernel_version() >= (5, 9):
        poller.poll()


def serve_until_hung_up(serve: Callable[[], None]) -> None:
    """Serve notifications until the last process under the filter is gone, or the listener is closed.

    Since Linux 6.10 the kernel wakes a receiver then; before, this thread stays blocked, and ends with the tracer.
    """
    with contextlib.suppress(OSError):
        while True:
            serve()


@contextlib.contextmanager
def flushed(journal: Journal, lock: threading.Lock) -> Iterator[None]:
    """Commit what was noted about once a second, as long as the block runs."""
    done = threading.Event()

    def flush() -> None:
        while not done.wait(FLUSH_SECONDS):
            with lock:
                journal.flush()

    thread = threading.Thread(target=flush, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
