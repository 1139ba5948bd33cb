"""Threads that carry what a program reads and writes between its pipes and the caller's files.

The program never holds a descriptor of the caller's: it could change the file's mode, read a log that it is to append
to, or move its offset.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rtrace_unpackers.isolation.streams import terminal

PART = 1 << 18
LONGEST_END = 10_000
"""Milliseconds that ending what prints too much may take; then its pipe is closed all the same."""
END_KEY = b"\x04"
AWAY = 0.2
"""Seconds between two looks whether a terminal is ours again."""


@dataclass(slots=True)
class Meter:
    """Counts what goes through all pumps together; calls ``reached`` when it is more than the limit."""

    limit: int | None
    reached: Callable[[], None]
    left: int = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Begin with all of it left."""
        self.left = self.limit if self.limit is not None else 0

    def reserve(self, count: int) -> int:
        """Return how many of ``count`` bytes may still go through, and count them as gone through."""
        if self.limit is None:
            return count
        with self.lock:
            granted = min(count, self.left)
            self.left -= granted
        return granted

    def give_back(self, count: int) -> None:
        """Take back what was reserved and did not go through."""
        if self.limit is not None:
            with self.lock:
                self.left += count


class Pump(threading.Thread):
    """Carries bytes from one descriptor to another until the end of the first or of the second; closes both in the end.

    With ``stop``, a pipe, it ends when that one's other end is closed: a person may type for ever. Signals are for the
    main thread.
    """

    def __init__(self, source: int, target: int, *, meter: Meter | None = None, stop: int | None = None) -> None:
        super().__init__(daemon=True)
        self.source = source
        self.target = target
        self.meter = meter
        self.stop = stop
        self.failure: OSError | None = None
        self.splices = hasattr(os, "splice")

    def start(self) -> None:
        """Start with all signals blocked."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def run(self) -> None:
        """Carry until the end. When the reader is gone, the program gets SIGPIPE, as it would have without us."""
        try:
            while self.wait() and self.carry():
                pass
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.failure = error
        except Exception as error:  # noqa: BLE001 -- nothing of a thread may end in silence
            self.failure = OSError(0, str(error) or type(error).__name__)
        finally:
            for descriptor in (self.source, self.target):
                with contextlib.suppress(OSError):  # EIO: the last write told of it, if any did
                    os.close(descriptor)

    def wait(self) -> bool:
        """Wait until there is something to read, or the end of it; return whether to go on."""
        if self.stop is None:
            return True
        poll = select.poll()
        poll.register(self.source, select.POLLIN)
        poll.register(self.stop, 0)
        poll.register(self.target, 0)
        events = dict(poll.poll())
        return self.stop not in events and self.target not in events

    def carry(self) -> bool:
        """Carry some bytes; return whether there may be more."""
        room = PART if self.meter is None else self.meter.reserve(self.count_ready())
        if room == 0 and self.meter is not None:
            if self.read(1):
                self.meter.reached()
                self.wait_for_end()
            return False
        carried = self.hand_over(room) if self.splices else self.copy(room)
        if self.meter is not None:
            self.meter.give_back(room - carried)
        return carried > 0

    def wait_for_end(self) -> None:
        """Wait until those who write have been ended: a pipe closed before would end them otherwise, by SIGPIPE."""
        poll = select.poll()
        poll.register(self.source, 0)  # POLLHUP is always told
        if self.stop is not None:
            poll.register(self.stop, 0)
        poll.poll(LONGEST_END)

    def count_ready(self) -> int:
        """Wait until there is something to read, and return how much: no more is reserved, others may need the rest."""
        import fcntl
        import termios

        wait_for(self.source, select.POLLIN)
        ready = int.from_bytes(fcntl.ioctl(self.source, termios.FIONREAD, bytes(4)), "little")
        return min(PART, max(1, ready))  # at the end there is nothing, and reading says so

    def copy(self, room: int) -> int:
        """Read and write; return how many bytes."""
        part = self.read(room)
        write_all(self.target, part)
        return len(part)

    def hand_over(self, room: int) -> int:
        """Have the kernel move what is in the pipe, without a copy; see splice(2). Copy where it cannot."""
        while True:
            try:
                return os.splice(self.source, self.target, room)
            except BlockingIOError:
                wait_for(self.source, select.POLLIN)
                wait_for(self.target, select.POLLOUT)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self.splices = False
                return self.copy(room)

    def read(self, room: int) -> bytes:
        """Return what there is; nothing at the end. A terminal whose program has ended says EIO."""
        while True:
            try:
                return os.read(self.source, room)
            except BlockingIOError:
                wait_for(self.source, select.POLLIN)
            except OSError as error:
                if error.errno == errno.EIO:
                    return b""
                raise


class KeyboardPump(Pump):
    """Carries what is typed at the caller's terminal while this process is in its foreground."""

    def wait(self) -> bool:
        """Wait until there is something to read in the foreground; a shell may have changed the terminal's mode."""
        while super().wait():
            if terminal.is_in_foreground(self.source):
                if not terminal.is_raw(self.source):
                    terminal.make_raw(self.source)
                return True
            time.sleep(AWAY)
        return False

    def read(self, room: int) -> bytes:
        """Return what was typed; what a terminal that was not raw yet took for the end is ^D."""
        try:
            return os.read(self.source, room) or END_KEY
        except OSError:  # EIO: it was hung up
            return b""


def write_all(descriptor: int, part: bytes) -> None:
    """Write all of it; a descriptor that somebody made non-blocking is waited for."""
    rest = memoryview(part)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            wait_for(descriptor, select.POLLOUT)


def wait_for(descriptor: int, events: int) -> None:
    """Wait until a descriptor that somebody made non-blocking is ready."""
    poll = select.poll()
    poll.register(descriptor, events)
    poll.poll()
