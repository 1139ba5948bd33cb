"""Terminals: their size, raw mode, and who is in the foreground; see tty_ioctl(4) and termios(3)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
from collections.abc import Iterator
from typing import Any

Attributes = list[Any]
"""What termios.tcgetattr returns: iflag, oflag, cflag, lflag, the two speeds, and the control characters."""

IFLAG, OFLAG, CFLAG, LFLAG, _, _, CHARACTERS = range(7)
WINDOW_SIZE = 8  # struct winsize: rows, columns and two sizes in pixels, 16 bits each


def read_window(terminal: int) -> bytes:
    """Read a terminal's window size as the kernel's struct winsize."""
    return fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(WINDOW_SIZE))


def copy_window(source: int, destination: int) -> bool:
    """Give one terminal the window size of another; its foreground gets SIGWINCH. Return whether the size changed."""
    with contextlib.suppress(OSError):
        window = read_window(source)
        if window != read_window(destination):
            fcntl.ioctl(destination, termios.TIOCSWINSZ, window)
            return True
    return False


def make_raw(attributes: Attributes) -> Attributes:
    """Return attributes with which every byte passes as it is, as cfmakeraw(3) does."""
    raw = [*attributes[:CHARACTERS], list(attributes[CHARACTERS])]
    raw[IFLAG] &= ~(
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    raw[OFLAG] &= ~termios.OPOST
    raw[LFLAG] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    raw[CFLAG] = raw[CFLAG] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    raw[CHARACTERS][termios.VMIN], raw[CHARACTERS][termios.VTIME] = 1, 0
    return raw


def adds_returns(terminal: int) -> bool:
    """Whether a terminal now turns every newline that is written to it into carriage return and newline."""
    with contextlib.suppress(termios.error):
        flags: int = termios.tcgetattr(terminal)[OFLAG]
        return flags & (termios.OPOST | termios.ONLCR) == termios.OPOST | termios.ONLCR
    return False


def open_anew(descriptor: int) -> int:
    """Open a terminal or pipe a second time, not to share O_NONBLOCK; where that is refused, share it as it is."""
    access = os.O_RDWR if os.isatty(descriptor) else os.O_WRONLY
    try:
        return os.open(f"/proc/self/fd/{descriptor}", access | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return os.dup(descriptor)


def is_controlling(terminal: int) -> bool:
    """Whether a terminal is the controlling one of this process."""
    try:
        os.tcgetpgrp(terminal)
    except OSError:
        return False
    return True


def is_in_foreground(pid: int) -> bool:
    """Whether a process belongs to the foreground of its controlling terminal: pgrp and tpgid of proc(5)."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
        return fields[2] == fields[5]
    return False


class OuterTerminal:
    """The terminal at which a person sits, in raw mode while a relay has it; ``owner`` is the tracer's process id.

    ``controlling`` says that it is the tracer's controlling terminal, so that a shell may put it in the background.
    """

    def __init__(self, descriptor: int, owner: int, *, controlling: bool) -> None:
        """Begin with the terminal as it is."""
        self.descriptor = descriptor
        self.owner = owner
        self.controlling = controlling
        self.cooked: Attributes | None = None
        self.raw: Attributes | None = None

    def is_ours(self) -> bool:
        """Whether input may be taken from it: what a person types to a shell is not for the program."""
        return not self.controlling or is_in_foreground(self.owner)

    def take(self) -> None:
        """Put it in raw mode, if it may be used and is not raw yet."""
        with contextlib.suppress(termios.error):
            if self.cooked is None and self.is_ours():
                self.cooked = termios.tcgetattr(self.descriptor)
                self.raw = make_raw(self.cooked)
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self.raw)

    def give_back(self) -> None:
        """Put it back as it was, unless somebody has changed it meanwhile."""
        with contextlib.suppress(termios.error):
            if self.cooked is not None and termios.tcgetattr(self.descriptor)[:CFLAG] == (self.raw or [])[:CFLAG]:
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self.cooked)
        self.cooked = None


@contextlib.contextmanager
def restored(terminal: int | None) -> Iterator[None]:
    """Put a terminal back as it was when the block ends, in case the relay did not live to do so."""
    before = None
    if terminal is not None:
        with contextlib.suppress(termios.error):
            before = termios.tcgetattr(terminal)
    try:
        yield
    finally:
        if terminal is not None and before is not None:
            with contextlib.suppress(termios.error):
                if termios.tcgetattr(terminal) == make_raw(before):
                    termios.tcsetattr(terminal, termios.TCSADRAIN, before)
