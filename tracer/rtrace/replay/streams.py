"""Receives what a replayed run writes to its standard streams, which are of the kinds that the original run had."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from rtrace.files.workspaces import temporary_folder
from rtrace.manifest.model import Output, Run
from rtrace.replay.protocol import Streams

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Collected:
    """What came out of one stream."""

    size: int
    sha256: str


class Collector:
    """One stream of a replay: its program's end, and what comes out of it, which is also written to ``shown``.

    Of a stream that was cut off in the original run as much is read, and then it is closed as it was then.
    """

    def __init__(self, output: Output, shown: int) -> None:
        self._output = output
        self._shown = shown
        self._digest = hashlib.sha256()
        self._size = 0
        self._thread: threading.Thread | None = None
        if output.kind == "file" or sys.platform == "win32":
            with tempfile.TemporaryFile(dir=temporary_folder()) as file:
                self.end = os.dup(file.fileno())
            return
        self._reading, self.end = make_pty(output.window) if output.kind == "terminal" else os.pipe()
        self._thread = threading.Thread(target=self._read, args=(self._reading,), daemon=True)
        self._thread.start()

    def _read(self, descriptor: int) -> None:
        limit = self._output.size if self._output.cut else None
        try:
            while limit is None or self._size < limit:
                data = os.read(descriptor, CHUNK if limit is None else min(CHUNK, limit - self._size))
                if not data:
                    break
                self._take(data)
        except OSError:  # EIO: the last program has closed the pty
            pass
        finally:
            os.close(descriptor)

    def _take(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        with contextlib.suppress(OSError):
            os.write(self._shown, data)

    def finish(self) -> Collected:
        """Close the program's end, and tell what came once all of it has been read."""
        if self._thread is None:
            os.lseek(self.end, 0, os.SEEK_SET)
            while data := os.read(self.end, CHUNK):
                self._take(data)
            os.close(self.end)
        else:
            os.close(self.end)
            self._thread.join()
        return Collected(self._size, self._digest.hexdigest())


def make_pty(window: tuple[int, int] | None) -> tuple[int, int]:
    """Make a pty of a size that passes every byte on as it is; return (master, slave)."""
    import fcntl
    import termios

    master, slave = os.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    if window is not None:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", *window, 0, 0))
    return master, slave


class Collection:
    """What was collected of a replay, by the streams' names in a manifest; complete when its block has ended."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams
        self.found: dict[str, Collected] = {}


@contextlib.contextmanager
def collecting(run: Run, streams: Streams) -> Iterator[Collection]:
    """Put collectors in place of the streams whose original content is known."""
    collectors: dict[str, Collector] = {}
    stdout, stderr = streams.stdout, streams.stderr
    if run.stdout is not None:
        collectors["stdout"] = Collector(run.stdout, streams.stdout)
        stdout = collectors["stdout"].end
    if run.stderr is not None and run.stderr.joined:
        stderr = stdout
    elif run.stderr is not None:
        collectors["stderr"] = Collector(run.stderr, streams.stderr)
        stderr = collectors["stderr"].end
    collection = Collection(Streams(streams.stdin, stdout, stderr))
    try:
        yield collection
    finally:
        collection.found = {name: collector.finish() for name, collector in collectors.items()}
