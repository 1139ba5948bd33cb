"""A person at a terminal: a pty whose other end runs a command, or a shell, and a memory of all that was shown."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PATIENCE = 60


class Person:
    """What a person at a terminal does: looks, types, changes the size of the window."""

    def __init__(self, pid: int, master: int) -> None:
        """Sit at the other end of a pty, on which process ``pid`` leads the session and has not done anything yet."""
        self.pid = pid
        self.master = master
        self.shown = b""
        self.seen = 0
        self.modes_before = self.modes()

    def look(self) -> bool:
        """Read what is shown next; tell whether anything will come any more."""
        if not select.select([self.master], [], [], PATIENCE)[0]:
            raise AssertionError(f"nothing comes any more after {self.shown!r}")
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the session is over
            return False
        self.shown += data
        return bool(data)

    def wait_for(self, text: bytes) -> bytes:
        """Look until a text is shown that was not there at the last wait; return what was shown before it."""
        while (place := self.shown.find(text, self.seen)) < 0:
            if not self.look():
                raise AssertionError(f"{text!r} never came, only {self.shown[self.seen :]!r}")
        before = self.shown[self.seen : place]
        self.seen = place + len(text)
        return before

    def type(self, text: bytes) -> None:
        """Type."""
        os.write(self.master, text)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def modes(self) -> list[Any]:
        """The terminal's modes."""
        return termios.tcgetattr(self.master)

    def wait_for_modes(self, modes: list[Any]) -> None:
        """Look at the modes until they are as expected."""
        deadline = time.monotonic() + PATIENCE
        while self.modes() != modes:
            assert time.monotonic() < deadline, f"modes are {self.modes()}, not {modes}"

    def leave(self) -> int:
        """Look until the end; return the exit status as a shell tells it."""
        while self.look():
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return 128 - status if status < 0 else status


@contextlib.contextmanager
def at_terminal(
    *command: str | Path, cwd: Path, streams: Mapping[int, int] | None = None, rows: int = 24, columns: int = 80
) -> Iterator[Person]:
    """Run a command at a terminal of its own; ``streams`` puts other descriptors in the place of 0, 1 or 2."""
    argv = [str(word) for word in command]
    waits, may_begin = os.pipe()
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.read(waits, 1)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
            os.chdir(cwd)
            for place, descriptor in (streams or {}).items():
                os.dup2(descriptor, place)
            os.execvp(argv[0], argv)
        finally:
            os._exit(99)
    person = Person(pid, master)
    os.write(may_begin, b"!")
    os.close(waits)
    os.close(may_begin)
    try:
        yield person
    finally:
        if person.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(person.pid, signal.SIGKILL)
            os.waitpid(person.pid, 0)
        os.close(master)
