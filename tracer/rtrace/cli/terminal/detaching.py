"""Work that goes on behind the caller's back: its result first, its end later."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType

PASSED_ON = signal.valid_signals() - {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGCHLD,
    signal.SIGTTIN,
    signal.SIGTTOU,
}
STOPPING = 2.0
"""Seconds that a worker has to stop after SIGTSTP, so that its caller stops, too."""


def run_detached(work: Callable[[Callable[[int], None]], None]) -> int:
    """Do ``work`` in a process of its own, and return the status that it reports as soon as it does.

    ``work`` is given the function to report with, which may be called once; afterwards it has no standard streams.
    Without a report its exit status counts. All signals are passed on to it, which knows which
    it had a copy of; when it stops, so does the caller.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)

        def report(status: int) -> None:
            os.write(writing, bytes([status]))
            os.close(writing)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)

        work(report)
        os._exit(0)
    os.close(writing)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(pid, number)
        if number == signal.SIGTSTP and has_stopped(pid):
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, pass_on)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    reported = os.read(reading, 1)
    if reported:
        return reported[0]
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def has_stopped(pid: int) -> bool:
    """Wait a little for a child to stop; return whether it did."""
    end = time.monotonic() + STOPPING
    while time.monotonic() < end:
        if os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.005)
    return False
