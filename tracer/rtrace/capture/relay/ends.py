"""The pipes and ptys between which a relay stands: to the program they look like what was there before."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import termios
from pathlib import Path
from typing import NamedTuple

from rtrace.capture.kernel.terminal import OFLAG, copy_window, open_anew
from rtrace.capture.relay.streams import Inlet, Kind, Outlet
from rtrace.linux.descriptors import tee

F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032  # fcntl(2); Python 3.10 has names for them


class OutletEnds(NamedTuple):
    """The descriptors of one outlet: the program's end, the relay's two, and the file of what is kept.

    With a session, ``keyboard`` and ``terminal`` are the terminal outside, opened anew and as it is.
    """

    outlet: Outlet
    program: int
    source: int
    sink: int
    file: int
    keyboard: int = -1
    terminal: int = -1

    def close(self) -> None:
        """Close all of them."""
        for descriptor in (self.program, self.source, self.sink, self.file, self.keyboard, self.terminal):
            if descriptor >= 0:
                os.close(descriptor)


class InletEnds(NamedTuple):
    """The descriptors of one inlet: the program's end, what the relay reads and writes, the file of what is kept."""

    inlet: Inlet
    program: int
    source: int
    sink: int
    file: int

    def close(self) -> None:
        """Close all of them."""
        for descriptor in (self.program, self.source, self.sink, self.file):
            os.close(descriptor)


def open_inlet(inlet: Inlet, path: Path) -> InletEnds:
    """Make a pipe like the one that the run would read from. Raises OSError where tee(2) does not work on it."""
    try_tee(inlet.descriptors[0])
    source = fcntl.fcntl(inlet.descriptors[0], fcntl.F_DUPFD_CLOEXEC, 3)
    program, sink = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.fcntl(sink, F_SETPIPE_SZ, fcntl.fcntl(source, F_GETPIPE_SZ))
    if fcntl.fcntl(source, fcntl.F_GETFL) & os.O_NONBLOCK:
        set_nonblocking(program)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return InletEnds(inlet, program, source, sink, file)


def try_tee(pipe: int) -> None:
    """Raise OSError where tee(2) does not work on a pipe, as with the kernels that only look like Linux."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        tee(pipe, writing, 1)
    finally:
        os.close(reading)
        os.close(writing)


def open_ends(outlet: Outlet, path: Path) -> OutletEnds:
    """Make a pipe or a pty like what was there, and open the way out and the file."""
    first = outlet.descriptors[0]
    source, program = make_pty(first, plain=not outlet.session) if outlet.kind is Kind.TERMINAL else make_pipe(first)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    set_nonblocking(source)
    if not outlet.session:
        return OutletEnds(outlet, program, source, open_anew(first), file)
    return OutletEnds(outlet, program, source, open_anew(first), file, open_anew(0), os.dup(0))


def make_pipe(like: int) -> tuple[int, int]:
    """Make a pipe of the size and with the status flags of another."""
    source, program = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.fcntl(program, F_SETPIPE_SZ, fcntl.fcntl(like, F_GETPIPE_SZ))
    flags = fcntl.fcntl(like, fcntl.F_GETFL) & (os.O_NONBLOCK | os.O_APPEND)
    if flags:
        fcntl.fcntl(program, fcntl.F_SETFL, flags)
    return source, program


def make_pty(like: int, *, plain: bool) -> tuple[int, int]:
    """Make a pty with the modes and the window size of a terminal; return (master, slave).

    ``plain``: what is written comes out unchanged, because the terminal outside still does the conversion.
    """
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(like)
    if plain:
        attributes[OFLAG] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    copy_window(like, slave)
    return master, slave


def connect(ends: list[OutletEnds], inlets: list[InletEnds]) -> None:
    """In the program's process: put its ends in the place of the descriptors that they replace."""
    for end in ends:
        for descriptor in end.outlet.descriptors:
            os.dup2(end.program, descriptor)
    for inlet in inlets:
        for descriptor in inlet.inlet.descriptors:
            os.dup2(inlet.program, descriptor)


def set_nonblocking(descriptor: int) -> None:
    """Set O_NONBLOCK on a descriptor that nobody else shares."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
