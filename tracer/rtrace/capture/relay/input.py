"""What a run reads from a pipe is kept on its way in; the relay takes no more out of the pipe than the run reads.

    writer ---> pipe outside ---> relay ---> pipe inside ---> program
                                    |
                                    +---> a file in the trace directory

Others may share the pipe outside, as a shell does whose loop has one command traced, and must find there what the
program left. So the relay copies what is in the pipe outside to the one inside by tee(2). Only when the program has
read it inside does the relay take it out of the pipe outside, and keep it. Positions in the stream (the pipe outside
holds what follows ``taken``):

    0 ......... taken ......... sent ......... what was written
                  |  the pipe inside |  next to be copied

tee(2) begins at ``taken`` each time, so that what was sent before is skipped in a pipe of our own. Pages are passed on
as they are: the pipe inside is full whenever that outside is, and a read that makes room in a full pipe wakes the
relay, as does a write to the pipe outside (epoll(7), edge-triggered). Before Linux 5.15 a write to a pipe that was not
empty may wake nobody: while something lies in the pipe outside, the relay looks from time to time as well.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import termios

from rtrace.capture.relay.ends import F_GETPIPE_SZ, F_SETPIPE_SZ
from rtrace.capture.relay.keeping import Keeper, Kept
from rtrace.capture.relay.poller import Poller
from rtrace.linux.descriptors import SPLICE_F_NONBLOCK, tee

PART = 1 << 20
"""Bytes that are copied at most at a time: as many as a pipe of a user can hold."""
CHUNK = 1 << 16


class PipeInput:
    """What the program reads from one pipe."""

    def __init__(self, poller: Poller, ends: tuple[int, int], keeper: Keeper) -> None:
        """Pass on what comes from the first of ``ends`` to the second, and keep what was read of it."""
        self.source, self.sink = ends
        self.keeper: Keeper | None = keeper
        self.open = True
        self.sent = self.taken = 0
        self.scratch = os.pipe2(os.O_CLOEXEC)
        size = fcntl.fcntl(self.source, F_GETPIPE_SZ)
        with contextlib.suppress(OSError):  # EPERM: the user has as much in pipes as they may; less is copied at a time
            fcntl.fcntl(self.scratch[1], F_SETPIPE_SZ, size)
        self.epoll = select.epoll()
        self.epoll.register(self.source, select.EPOLLIN | select.EPOLLET)
        self.epoll.register(self.sink, select.EPOLLOUT | select.EPOLLET)
        poller.watch(self.epoll.fileno(), select.POLLIN, self.look)
        self.poller = poller

    @property
    def waits(self) -> bool:
        """Whether something was copied that the program has not read yet."""
        return self.open and self.sent > self.taken

    def look(self, _: int = 0) -> None:
        """Take out and keep what was read, and pass on what came."""
        if self.open:
            self.epoll.poll(0)
        while self.open:
            self.take()
            if is_over(self.sink, select.POLLERR):  # no reader is left
                self.take()
                self.close()
            else:
                ended = is_over(self.source, select.POLLHUP)
                if not self.offer():
                    if ended and self.sent - self.taken == count_unread(self.source):
                        self.end()
                    return

    def take(self) -> None:
        """Take what the program has read inside out of the pipe outside, and keep it."""
        left = self.sent - count_unread(self.sink) - self.taken
        while left > 0:
            data = os.read(self.source, min(left, CHUNK)) if count_unread(self.source) else b""
            if not data:  # somebody else took it
                self.taken += left
                return
            left -= len(data)
            self.taken += len(data)
            if self.keeper is not None:
                self.keeper.add(data)

    def offer(self) -> bool:
        """Copy what is new outside to the pipe inside; return whether there was anything, and so may be more."""
        skipped = self.sent - self.taken
        if not skipped:
            copied = tee(self.source, self.sink, PART)
            self.sent += copied
            return copied > 0
        rest = tee(self.source, self.scratch[1], PART) - skipped
        if rest > 0:
            self.drop(skipped)
            copied = self.hand_over(rest)
            self.sent += copied
            self.drop(rest - copied)
            return copied == rest
        self.drop(rest + skipped)
        return False

    def hand_over(self, count: int) -> int:
        """Move bytes from our own pipe to that inside, as far as there is room; return how many."""
        done = 0
        while done < count:
            try:
                done += os.splice(self.scratch[0], self.sink, count - done, flags=SPLICE_F_NONBLOCK)
            except (BlockingIOError, BrokenPipeError):
                break
        return done

    def drop(self, count: int) -> None:
        """Empty our own pipe."""
        while count > 0:
            count -= len(os.read(self.scratch[0], min(count, CHUNK)))

    def end(self) -> None:
        """Let the program find the end, as all writers are gone; hold the pipe to see what it reads of the rest."""
        reading = os.open(f"/proc/self/fd/{self.sink}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.forget()
        os.close(self.sink)
        self.sink = reading
        self.open = False

    def close(self) -> None:
        """Close the pipe outside: its writer gets SIGPIPE, as the program that would have read it is gone."""
        self.forget()
        os.close(self.source)
        self.source = -1
        self.open = False

    def forget(self) -> None:
        """Stop looking."""
        self.poller.forget(self.epoll.fileno())
        self.epoll.close()

    def finish(self) -> Kept | None:
        """Stop keeping, and return what was read."""
        if self.open:
            self.look()
        elif self.source >= 0:
            self.take()
        keeper, self.keeper = self.keeper, None
        return None if keeper is None else keeper.finish()


def count_unread(pipe: int) -> int:
    """Return how many bytes are in a pipe, by either end; FIONREAD of ioctl_tty(2)."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def is_over(pipe: int, event: int) -> bool:
    """Whether the other end of a pipe has gone: POLLERR says so to a writer, POLLHUP to a reader."""
    poll = select.poll()
    poll.register(pipe, 0)
    return any(what & event for _, what in poll.poll(0))
