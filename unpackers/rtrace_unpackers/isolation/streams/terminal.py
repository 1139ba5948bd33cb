"""The terminal of a replay: a new one, whose other end the caller connects to their own.

The program never sees the caller's terminal: it cannot read what is typed there for others, type into it, or leave it
in another mode.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Attributes: TypeAlias = "list[int | list[bytes | int]]"
POINTER = "/dev/ptmx"
TIOCGPTN, TIOCSPTLCK = 0x80045430, 0x40045431
"""Which terminal belongs to a controlling end, and whether it may be opened; see ioctl_tty(2)."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a terminal is like: the attributes of termios(3), and ``struct winsize`` of ioctl_tty(2)."""

    attributes: Attributes
    size: bytes


def look_at(terminal: int) -> Appearance:
    """Return what a terminal is like."""
    import termios

    return Appearance(termios.tcgetattr(terminal), read_size(terminal))


def without_processing(appearance: Appearance) -> Appearance:
    """Return the same terminal, but one that hands on what is written to it as it is; see termios(3), OPOST."""
    import termios

    attributes = list(appearance.attributes)
    flags = attributes[1]
    if isinstance(flags, int):
        attributes[1] = flags & ~termios.OPOST
    return Appearance(attributes, appearance.size)


def read_size(terminal: int) -> bytes:
    """Return a terminal's size, as the kernel has it."""
    import fcntl
    import termios

    return fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8))


def copy_size(source: int, target: int) -> None:
    """Give a terminal the size of another; its foreground is told with SIGWINCH."""
    import fcntl
    import termios

    with contextlib.suppress(OSError):  # EIO, ENOTTY: either of them is gone, and nobody looks at it any more
        fcntl.ioctl(target, termios.TIOCSWINSZ, read_size(source))


def make_terminal(appearance: Appearance) -> tuple[int, int]:
    """Return the two ends of a new terminal of the /dev/pts mounted here: the controlling one, the program's."""
    import fcntl
    import struct
    import termios

    master = os.open(POINTER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
    (number,) = struct.unpack("I", fcntl.ioctl(master, TIOCGPTN, bytes(4)))
    slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    termios.tcsetattr(slave, termios.TCSANOW, appearance.attributes)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, appearance.size)
    return master, slave


def is_in_foreground(terminal: int) -> bool:
    """Whether this process may read from a terminal now; see tcgetpgrp(3)."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # ENOTTY: it is the terminal of another session
        return False


def make_raw(terminal: int) -> None:
    """Hand every key on as it is typed, ^C and ^Z too: it is the program's terminal that knows what they mean.

    What was typed ahead stays.
    """
    import termios
    import tty

    tty.setraw(terminal, termios.TCSADRAIN)


def is_raw(terminal: int) -> bool:
    """Whether a terminal hands on every key."""
    import termios

    return not termios.tcgetattr(terminal)[3] & termios.ICANON


def restore(terminal: int, appearance: Appearance) -> None:
    """Give a terminal its mode back. From the background this needs SIGTTOU blocked."""
    import termios

    with contextlib.suppress(termios.error, OSError):  # EIO: it was hung up
        termios.tcsetattr(terminal, termios.TCSADRAIN, appearance.attributes)


def restore_for(group: int, terminal: int, appearance: Appearance) -> None:
    """Give a terminal its mode back, unless another group than this one has it by now, and its own modes with it."""
    with contextlib.suppress(OSError):  # ENOTTY, EIO: it is gone
        if os.tcgetpgrp(terminal) == group:
            restore(terminal, appearance)


@contextlib.contextmanager
def raw(terminal: int, appearance: Appearance) -> Iterator[None]:
    """Keep a terminal raw for a while, if this process is in its foreground."""
    import signal

    if is_in_foreground(terminal):
        make_raw(terminal)
    try:
        yield
    finally:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            restore_for(os.getpgrp(), terminal, appearance)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
