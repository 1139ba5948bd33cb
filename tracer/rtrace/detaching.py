"""Work that goes on behind the caller's back: its result first, its end later."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def run_detached(work: Callable[[Callable[[int], None]], None]) -> int:
    """Do ``work`` in a process of its own, and return the status that it reports as soon as it does.

    ``work`` is given the function to report with, which may be called once; afterwards it has no standard streams.
    Without a report its exit status counts. SIGTERM and SIGHUP are passed on to it.
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
        if number in (signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)

    for number in PASSED_ON:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    reported = os.read(reading, 1)
    if reported:
        return reported[0]
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
