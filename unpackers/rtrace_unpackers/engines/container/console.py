"""A terminal between the caller's and the container's: output is counted, input is passed on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from rtrace_unpackers.isolation.streams import terminal
from rtrace_unpackers.isolation.streams.pumps import Pump

STOPPING_TIME = 1.0
"""Seconds that what was typed gets to be passed on when nobody reads it any more."""


@contextlib.contextmanager
def raw_console(caller: int) -> Iterator[None]:
    """Keep a terminal raw while the block lasts; make it raw again after a stop."""
    appearance = terminal.look_at(caller)

    def set_raw(*_: object) -> None:
        if terminal.is_in_foreground(caller):
            terminal.make_raw(caller)

    with handling(signal.SIGCONT, set_raw), terminal.raw(caller, appearance):
        yield


@contextlib.contextmanager
def handling(number: int, handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Handle a signal while the block lasts. Only the main thread can; elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before if before is not None else signal.SIG_DFL)


def make_like(caller: int) -> tuple[int, int]:
    """Make a pty of a terminal's size and modes; return (master, slave)."""
    import termios

    master, slave = os.openpty()
    termios.tcsetattr(slave, termios.TCSANOW, terminal.look_at(caller).attributes)
    terminal.copy_size(caller, master)
    return master, slave


@contextlib.contextmanager
def typing(caller: int, master: int) -> Iterator[None]:
    """Copy what is typed at a terminal into a pty while the block lasts; what nobody has read stays there."""
    stop, stopping = os.pipe()
    pump = Pump(os.dup(caller), os.dup(master), stop=stop)
    pump.start()
    try:
        yield
    finally:
        os.close(stopping)
        pump.join(STOPPING_TIME)
        os.close(stop)
