"""What a machine sends on its way to who reads it: counted, so that no machine ends before all of it has come.

Qemu drops what it could not write yet when its machine ends, and the guest's kernel does not tell when something has
been written. So the guest tells how much it has sent, and ends when it is told that this has come.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading

from rtrace.debugging import debug

PART = 1 << 16
SENT = re.compile(rb"sent ([0-9]{1,18}) ([0-9]{1,18})")
"""The line by which a guest tells how many bytes it has sent to its output and to its error."""
LONGEST_LINE = 1 << 10


class Relay(threading.Thread):
    """Passes on what comes through a pipe, whose end to write to is ``end``, to a copy of a descriptor."""

    def __init__(self, sink: int) -> None:
        super().__init__(daemon=True)
        self._source, self.end = os.pipe()
        self._sink = os.dup(sink)
        self._taken = 0
        self._has_ended = False
        self._changed = threading.Condition()

    def run(self) -> None:
        """Pass on until the end; where nobody reads any more, what comes is dropped, as qemu would do it."""
        is_read = True
        try:
            while part := os.read(self._source, PART):
                try:
                    if is_read:
                        write_all(self._sink, part)
                except OSError as error:  # EPIPE, ENOSPC
                    debug(__name__, "nobody takes what a machine sends: %r", error)
                    is_read = False
                with self._changed:
                    self._taken += len(part)
                    self._changed.notify_all()
        finally:
            os.close(self._source)
            os.close(self._sink)
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()

    def wait_for(self, size: int) -> None:
        """Wait until so many bytes were passed on, or nothing more comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_ended or self._taken >= size)


def write_all(descriptor: int, part: bytes) -> None:
    """Write all of a part. Raises OSError."""
    view = memoryview(part)
    while view:
        view = view[os.write(descriptor, view) :]


class Answering:
    """Reads what a guest tells, in parts, and answers at ``descriptor`` when all has come that it says it has sent."""

    def __init__(self, relays: tuple[Relay, Relay], descriptor: int) -> None:
        self._relays = relays
        self._descriptor = descriptor
        self._line = b""

    def take(self, part: bytes) -> None:
        """Look at what was told; wait, and answer, where it is how much was sent."""
        *lines, rest = (self._line + part).split(b"\n")
        self._line = rest[-LONGEST_LINE:]
        for line in lines:
            sent = SENT.fullmatch(line)
            if sent is None:
                continue
            for relay, size in zip(self._relays, sent.groups(), strict=True):
                relay.wait_for(int(size))
            with contextlib.suppress(OSError):  # EPIPE: the machine has ended
                os.write(self._descriptor, b"\n")
