"""One direction of a relay: what is read here is written there, and never more is read than can be written."""

from __future__ import annotations

import os
import select

from rtrace.capture.relay.poller import Poller

GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Channel:
    """One direction: what ``source`` brings is written to ``sink``; nothing is read while ``sink`` is full."""

    def __init__(self, poller: Poller, source: int, sink: int, size: int) -> None:
        """Read up to ``size`` bytes at a time."""
        self.poller = poller
        self.source = source
        self.sink = sink
        self.size = size
        self.pending = b""
        self.open = True
        self.resume()
        poller.watch(sink, 0, self.flush)

    def take(self, data: bytes) -> None:
        """Look at what passes."""

    def shape(self, data: bytes) -> bytes:
        """Return what to write in place of what was read."""
        return data

    def ended(self, *, cut: bool) -> None:
        """Note that the source has ended, or (``cut``) that the sink closed first."""

    def resume(self) -> None:
        """Read again."""
        if self.open and not self.pending:
            self.poller.watch(self.source, select.POLLIN, self.pass_on)

    def pause(self) -> None:
        """Read no more for now."""
        self.poller.forget(self.source)

    def pass_on(self, _: int = 0) -> None:
        """Read what there is and write it."""
        try:
            data = os.read(self.source, self.size)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last program has closed the pty
            data = b""
        if not data:
            self.close(cut=False)
            return
        self.write(self.shape(data))
        self.take(data)

    def write(self, data: bytes) -> None:
        """Write as much as the sink takes now; the rest waits."""
        try:
            written = os.write(self.sink, data)
        except BlockingIOError:
            written = 0
        except OSError:
            self.close(cut=True)
            return
        rest = data[written:]
        if rest and not self.pending:
            self.pause()
            self.poller.watch(self.sink, select.POLLOUT, self.flush)
        elif self.pending and not rest:
            self.poller.watch(self.sink, 0, self.flush)
        was_pending, self.pending = self.pending, rest
        if was_pending and not rest:
            self.resume()

    def flush(self, what: int) -> None:
        """Write what waits, or find out that the sink was closed."""
        if what & GONE:
            self.close(cut=True)
        elif self.pending:
            self.write(self.pending)

    def close(self, *, cut: bool) -> None:
        """Close both ends."""
        if self.open:
            self.open = False
            self.pending = b""
            for descriptor in (self.source, self.sink):
                self.poller.forget(descriptor)
                os.close(descriptor)
            self.ended(cut=cut)
