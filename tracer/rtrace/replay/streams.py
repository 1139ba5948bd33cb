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
from pathlib import Path

from rtrace.files.workspaces import temporary_folder
from rtrace.manifest.model import Output, Run
from rtrace.replay.protocol import Streams

CHUNK = 1 << 16
MOST_KEPT = 64 << 20
"""Bytes of a stream that are kept to be compared; of a larger one size and digest are."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came out of one stream; ``path`` is where that is kept, if it is."""

    size: int
    sha256: str
    path: Path | None = None


class Collector:
    """One stream of a replay: its program's end, and what comes out of it, which is also written to ``shown``.

    Of a stream that was cut off in the original run as much is read, and then it is closed as it was then. What came is
    kept at ``path``, a new file, up to MOST_KEPT bytes.
    """

    def __init__(self, output: Output, shown: int, path: Path | None = None) -> None:
        self._output = output
        self._shown = shown
        self._path = path
        self._kept = None if path is None else path.open("xb")
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
        self._keep(data)
        with contextlib.suppress(OSError):
            os.write(self._shown, data)

    def _keep(self, data: bytes) -> None:
        """Keep what came; of what is too large, or does not fit on the disk, nothing."""
        if self._kept is None:
            return
        try:
            if self._size <= MOST_KEPT:
                self._kept.write(data)
                return
        except OSError:
            pass
        self._forget()

    def _forget(self) -> None:
        if self._kept is not None:
            with contextlib.suppress(OSError):
                self._kept.close()
        self._kept = self._path = None

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
        path = self._path
        if self._kept is not None:
            try:
                self._kept.close()
            except OSError:  # the disk is full
                path = None
        return Collected(self._size, self._digest.hexdigest(), path)


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
def collecting(run: Run, streams: Streams, folder: Path | None = None) -> Iterator[Collection]:
    """Put collectors in place of the streams whose original content is known; with a folder, what comes is kept there.

    The folder has no files of their names yet.
    """
    collectors: dict[str, Collector] = {}
    stdout, stderr = streams.stdout, streams.stderr
    if run.stdout is not None:
        collectors["stdout"] = Collector(run.stdout, streams.stdout, folder and folder / "stdout")
        stdout = collectors["stdout"].end
    if run.stderr is not None and run.stderr.joined:
        stderr = stdout
    elif run.stderr is not None:
        collectors["stderr"] = Collector(run.stderr, streams.stderr, folder and folder / "stderr")
        stderr = collectors["stderr"].end
    collection = Collection(Streams(streams.stdin, stdout, stderr))
    try:
        yield collection
    finally:
        collection.found = {name: collector.finish() for name, collector in collectors.items()}
