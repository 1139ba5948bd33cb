"""Signals that reach rtrace during a run: none of them ends rtrace, and the program gets each of them once.

    to the whole group    rtrace and the program have a copy each: rtrace drops its own
    to rtrace alone       it is passed on (timeout, Slurm, kill)
    to one by one         (pkill, systemd, Slurm) as it comes: a copy after what was passed on is taken from the program
    by the kernel         what concerns rtrace alone (its own CPU time) is dropped

Ptrace shows what reached the program itself, as it stops for every signal that it does not block. A signal that it
blocks is pending, and another with the same number would change nothing. A thread of its own takes the signals from
a signalfd(2), as they are blocked everywhere else, so that the tracer's loop is not disturbed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import threading
import time
from typing import TYPE_CHECKING

from rtrace import interrupts
from rtrace.capture.loop.deliveries import Deliveries
from rtrace.capture.processes.threads import start_thread
from rtrace.linux.signal_queues import SI_QUEUE, Arrival, open_signalfd, read_arrival
from rtrace.linux.signals import unblocked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.capture.loop.process_tree import ProcessTree
    from rtrace.capture.relay.interposition import Interposition

ENDING = frozenset(interrupts.ENDING)
TAKEN = frozenset(signal.valid_signals()) - {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGCHLD,  # one for each stop of each tracee
    signal.SIGTTIN,  # these two concern what a process itself does to its terminal
    signal.SIGTTOU,
}
NOT_THE_PROGRAMS = frozenset({signal.SIGXCPU, signal.SIGXFSZ, signal.SIGWINCH})
"""What the kernel sends about rtrace's own limits, or about the terminal: the program gets its own."""
SETTLING = 0.05
"""Seconds that a signal on its way to the program may take to be seen by the tracer."""
STOPPING = 1.0
"""Seconds that a program has to stop after SIGTSTP, so that rtrace stops with it."""
STEP = 0.002


class PassingOn:
    """The thread that takes the signals of this process."""

    def __init__(self, deliveries: Deliveries, tree: ProcessTree, interposition: Interposition) -> None:
        """Serve until ``stop``; ``interposition`` hears of what concerns the terminal."""
        self.deliveries = deliveries
        self.tree = tree
        self.interposition = interposition
        self.in_vain: list[int] = []
        """What came when no process was left to get it."""
        self._signals = open_signalfd(TAKEN)
        self._ended, self._end = os.pipe2(os.O_CLOEXEC)
        self._stops_until = 0.0
        """Until when the program may stop after SIGTSTP, so that rtrace stops with it; 0 when it is not to."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to take signals. Raises TracingRefusedError where no thread can be started."""
        self._thread = start_thread(self._serve)

    def stop(self) -> None:
        """End, when what came is dealt with."""
        os.close(self._end)
        if self._thread is not None:
            self._thread.join()
        self.in_vain += [arrival.number for arrival in self._read()]
        os.close(self._ended)
        os.close(self._signals)

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self._signals, select.POLLIN)
        poller.register(self._ended, select.POLLIN)
        while all(
            descriptor != self._ended for descriptor, _ in poller.poll(STEP * 1000 if self._stops_until else None)
        ):
            for arrival in self._read():
                self._take(arrival)
            self._stop_with_program()

    def _read(self) -> Iterator[Arrival]:
        with contextlib.suppress(BlockingIOError):
            while True:
                yield read_arrival(self._signals)

    def _take(self, arrival: Arrival) -> None:
        wait_for_senders()
        session = self.interposition.session
        if arrival.number == signal.SIGWINCH:
            self.interposition.change_window()
        elif arrival.number == signal.SIGCONT:
            self._stops_until = 0.0
            self.interposition.go_on()
            if session and self.deliveries.stopped:
                return  # the relay continues the program
        elif arrival.number == signal.SIGTSTP and session and self._sees_stop():
            self.interposition.suspend()  # the relay tells that the program has stopped
            return
        if arrival.code > 0 and arrival.number in NOT_THE_PROGRAMS:
            return
        receivers = self._find_receivers()
        for tgid in receivers:
            self._pass_on(arrival, tgid)
        if not receivers:
            self.in_vain.append(arrival.number)
        elif arrival.number == signal.SIGTSTP and not session:
            if self.deliveries.main in receivers:
                self._stops_until = time.monotonic() + STOPPING
            else:
                stop_self()

    def _stop_with_program(self) -> None:
        """Stop when the program has stopped; it goes on if it handles SIGTSTP or ignores it.

        What else comes while it may stop is passed on meanwhile.
        """
        if self._stops_until and self.deliveries.stopped:
            self._stops_until = 0.0
            stop_self()
        elif time.monotonic() > self._stops_until:
            self._stops_until = 0.0

    def _find_receivers(self) -> tuple[int, ...]:
        """Return the program's process, or those that outlive it."""
        living = {tracee.process.tgid for tracee in tuple(self.tree.tracees.values())}
        return (self.deliveries.main,) if self.deliveries.main in living else tuple(sorted(living))

    def _pass_on(self, arrival: Arrival, tgid: int) -> None:
        """Send a process what came, unless it has a copy, or is about to take one."""
        end = time.monotonic() + SETTLING
        for look in itertools.count():
            # What is queued with a value has been sent to one process alone; see sigqueue(3).
            if arrival.code != SI_QUEUE and is_pending(tgid, arrival.number):
                return
            if self.deliveries.has_copy(arrival, tgid):
                return
            if look and (time.monotonic() > end or not is_stopped(tgid)):
                break
            time.sleep(STEP)
        self.deliveries.pass_on(arrival, tgid)

    def _sees_stop(self) -> bool:
        """Wait a moment until the program is stopped; return whether it is."""
        end = time.monotonic() + SETTLING
        while not self.deliveries.stopped:
            if time.monotonic() > end:
                return False
            time.sleep(STEP)
        return True


@contextlib.contextmanager
def signals_passed_on(main: int, parent: int, tree: ProcessTree, interposition: Interposition) -> Iterator[Deliveries]:
    """Take all signals that come to this process, and pass them on to process ``main``, as long as the block runs.

    ``parent`` is the process that passes on what comes to it, 0 if there is none. Threads begun in the block get no
    signals. A request to end that came too late for the program is sent to rtrace at the end of the block.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, TAKEN)
    deliveries = Deliveries(main, parent)
    passing_on = PassingOn(deliveries, tree, interposition)
    try:
        passing_on.start()
        yield deliveries
    finally:
        passing_on.stop()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number in ENDING & set(passing_on.in_vain):
            os.kill(os.getpid(), number)


def wait_for_senders() -> None:
    """Wait until who is sending a signal to a process group has sent it to all of it.

    The kernel does so under a lock (tasklist_lock of its kernel/signal.c) that a change of process group takes, too.
    """
    with contextlib.suppress(PermissionError):  # the leader of a session stays in its group
        os.setpgid(0, os.getpgrp())


def is_pending(tgid: int, number: int) -> bool:
    """Whether a signal of this number waits for a process; see proc(5)."""
    try:
        with open(f"/proc/{tgid}/status", "rb") as file:
            masks = [int(line.split()[1], 16) for line in file if line.startswith((b"SigPnd:", b"ShdPnd:"))]
    except OSError:  # ENOENT, ESRCH: it has ended
        return False
    return any(mask >> (number - 1) & 1 for mask in masks)


def is_stopped(tgid: int) -> bool:
    """Whether a thread of a process waits for its tracer, perhaps with a signal."""
    try:
        threads = os.listdir(f"/proc/{tgid}/task")
        for thread in threads:
            with open(f"/proc/{tgid}/task/{thread}/stat", "rb") as file:
                if file.read().rpartition(b") ")[2].startswith(b"t"):
                    return True
    except OSError:  # ENOENT, ESRCH: it has ended
        return False
    return False


def stop_self() -> None:
    """Stop this process as SIGTSTP does, until somebody continues it; the kernel ignores it where nobody could."""
    with unblocked(signal.SIGTSTP):
        signal.raise_signal(signal.SIGTSTP)
