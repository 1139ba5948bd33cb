"""A terminal between the caller's own one and a container's: what is shown is counted, what is typed is passed on."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import threading
from collections.abc import Iterator

PART = 1 << 12


@contextlib.contextmanager
def raw(terminal: int) -> Iterator[None]:
    """Pass on every key of a terminal as it is pressed, as long as the block lasts; after a stop, again."""
    import termios
    import tty

    before = termios.tcgetattr(terminal)

    def set_raw(*_: object) -> None:
        tty.setraw(terminal, termios.TCSANOW)

    with handling(signal.SIGCONT, set_raw):
        try:
            set_raw()
            yield
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def handling(number: int, handler: signal._HANDLER) -> Iterator[None]:
    """Handle a signal for a while, where it can be handled: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before if before is not None else signal.SIG_DFL)


def make_like(terminal: int) -> tuple[int, int]:
    """Make a pty of a terminal's size and modes; return (master, slave)."""
    import termios

    master, slave = os.openpty()
    termios.tcsetattr(slave, termios.TCSANOW, termios.tcgetattr(terminal))
    copy_size(terminal, master)
    return master, slave


def copy_size(terminal: int, master: int) -> None:
    """Give a pty the size of a terminal."""
    import fcntl
    import termios

    fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8)))


class Typist(threading.Thread):
    """Types into a pty what is typed at a terminal, until it is stopped; what nobody read by then, stays there."""

    def __init__(self, terminal: int, master: int) -> None:
        super().__init__(daemon=True)
        self._terminal = terminal
        self._master = os.dup(master)
        self._woken, self._waker = os.pipe()

    def run(self) -> None:
        """Type."""
        with contextlib.suppress(OSError), selectors.DefaultSelector() as selector:  # EIO: the program's end is closed
            selector.register(self._woken, selectors.EVENT_READ)
            selector.register(self._terminal, selectors.EVENT_READ)
            while self._woken not in {key.fd for key, _ in selector.select()}:
                data = os.read(self._terminal, PART)
                if not data:
                    return
                os.write(self._master, data)

    def stop(self) -> None:
        """Stop, and read nothing any more."""
        os.write(self._waker, b"!")
        self.join(1)
        if not self.is_alive():
            for descriptor in (self._woken, self._waker, self._master):
                os.close(descriptor)
