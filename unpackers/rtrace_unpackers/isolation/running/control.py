"""The caller's control of a replay: signals that are passed on, limits that end it, and job control."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import FrameType
from typing import TypeAlias

from rtrace import interrupts
from rtrace.replay.protocol import Outcome
from rtrace_unpackers.isolation.running.keeper import FORWARDED
from rtrace_unpackers.isolation.running.watching import LimitWatch
from rtrace_unpackers.isolation.streams import terminal
from rtrace_unpackers.isolation.streams.plumbing import Plumbing
from rtrace_unpackers.limits.words import describe_limit

Handler: TypeAlias = "Callable[[int, FrameType | None], object] | int | None"


_KIB = 1024
GRACE = 5.0
"""Seconds between the signal that asks a program to end and the end of all its processes."""


@dataclass(slots=True)
class Control:
    """The keeper that gets the signals, once there is one, and the limit that ended the replay."""

    keeper: int | None = None
    reached: str | None = None
    memory: int | None = None
    """Of the largest descendant of the keeper, or of itself, a copy of this process to begin with; see getrusage(2)."""

    def tell(self, number: int) -> None:
        """Send the keeper a signal; a keeper that has ended needs none."""
        keeper = self.keeper  # another thread may take it away
        if keeper is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(keeper, number)

    def end(self, reached: str) -> None:
        """Kill all processes of the replay, because of a limit."""
        self.reached = self.reached or reached
        self.tell(signal.SIGABRT)

    def finish(self) -> None:
        """Wait for the keeper; when the caller does not wait for the program any more, have it all killed."""
        if self.keeper is not None:
            self.tell(signal.SIGABRT)
            usage = os.wait4(self.keeper, 0)[2]
            self.memory = usage.ru_maxrss * _KIB
            self.keeper = None

    def time_is_up(self, watch: LimitWatch) -> None:
        """Ask the program to end, as timeout(1) does, and have it all killed a little later."""
        self.reached = self.reached or "timeout"
        self.tell(signal.SIGTERM)
        watch.deadline = time.monotonic() + GRACE

    def conclude(self, outcome: Outcome, ended_by_kernel: str | None, watch: LimitWatch) -> Outcome:
        """Return how it ended and what it took, with the limit that ended it, and notes on others."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
        outcome = replace(outcome, memory=self.memory, memory_is_most=self.memory is not None and self.memory <= own)
        reached = self.reached
        if outcome.signal == signal.SIGXFSZ and watch.limits.disk is not None:
            reached = reached or "disk"
        if outcome.signal == signal.SIGKILL:
            reached = reached or ended_by_kernel
        elif ended_by_kernel is not None:
            watch.notes.append(f"processes of it were ended by the kernel: --{ended_by_kernel} was reached")
        if reached is None:
            return replace(outcome, notes=tuple(watch.notes))
        notes = (describe_limit(reached, watch.limits), *watch.notes)
        ended_by = outcome.signal if outcome.signal is not None else signal.SIGKILL
        return replace(outcome, exit_code=None, signal=ended_by, reached=reached, notes=notes)


@contextlib.contextmanager
def forwarding(control: Control, plumbing: Plumbing) -> Iterator[None]:
    """Pass signals on to the replay, instead of dying of them, while the block lasts.

    A replay is in a session of its own, so a terminal's signals reach nobody but this process. Only the main thread can
    do this; elsewhere signals do what they did before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def forward(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTSTP:
            suspend(control, plumbing)
            return
        if number == signal.SIGCONT and plumbing.terminal is not None and terminal.is_in_foreground(plumbing.terminal):
            terminal.make_raw(plumbing.terminal)
        control.tell(number)
        interrupts.note(number)

    def resize(_number: int, _frame: FrameType | None) -> None:
        if plumbing.screen is not None and plumbing.master is not None:
            terminal.copy_size(plumbing.screen, plumbing.master)

    before: dict[int, Handler] = {}
    try:
        for handled, handler in (*((number, forward) for number in FORWARDED), (signal.SIGWINCH, resize)):
            if signal.getsignal(handled) is not signal.SIG_IGN:
                before[handled] = signal.signal(handled, handler)
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former or signal.SIG_DFL)


def suspend(control: Control, plumbing: Plumbing) -> None:
    """Stop the replay and this process's group, as ^Z does, until somebody continues them; then go on with both.

    A group that nobody waits for is not stopped by the kernel: then both just go on.
    """
    control.tell(signal.SIGTSTP)
    if plumbing.terminal is not None and plumbing.appearance is not None:
        terminal.restore(plumbing.terminal, plumbing.appearance)
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        os.killpg(os.getpgrp(), signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, handler)
    if plumbing.terminal is not None and terminal.is_in_foreground(plumbing.terminal):
        terminal.make_raw(plumbing.terminal)
    control.tell(signal.SIGCONT)
