"""The tracer's loop: take the next event, handle it.

    listener readable -> receive a notification -> Recorder.observe -> answer "continue"
    SIGCHLD           -> wait for every stopped or ended thread -> handle the stop -> let it go on

In mode NOTIFY no system call ever stops under ptrace; in the others there is no listener, and calls are stops.
"""

from __future__ import annotations

import os
import select

from rtrace.capture.architecture import Architecture
from rtrace.capture.journal import FLUSH_SECONDS
from rtrace.capture.launch import Launched
from rtrace.capture.listener import make_server
from rtrace.capture.recorder import Recorder
from rtrace.capture.stops import StopHandler
from rtrace.capture.tree import ProcessTree


def follow_tree(
    launched: Launched, architectures: tuple[Architecture, ...], recorder: Recorder, tree: ProcessTree, wake: int
) -> int | None:
    """Serve a process tree until its last process ended; return the wait status of its first process.

    ``wake`` is a descriptor that becomes readable at every signal, see signal.set_wakeup_fd.
    """
    by_audit = {architecture.audit: architecture for architecture in architectures}
    stops = StopHandler(launched.pid, launched.mode, by_audit, recorder, tree)
    tree.born(launched.pid, None)
    poller = select.poll()
    poller.register(wake, select.POLLIN)
    listening = launched.listener >= 0
    if listening:
        poller.register(launched.listener, select.POLLIN)
        serve = make_server(launched.listener, by_audit, recorder, tree)
    timeout = int(FLUSH_SECONDS * 1000)
    tracees, untraced, flush_when_due = tree.tracees, tree.untraced, recorder.ledger.journal.flush_when_due
    while tracees and (listening or tracees.keys() - untraced):
        for ready, what in poller.poll(timeout):
            if ready == wake:
                os.read(wake, 4096)
                stops.take_all()
            elif what & select.POLLIN:
                serve()
            else:  # POLLHUP: no process is under the filter any more
                poller.unregister(launched.listener)
                listening = False
        flush_when_due()
    return stops.main_status
