"""What a run finds behind the descriptors that it begins with, as paths of the run: files, folders, what was kept.

What has no name is given one below a folder that no file system has: no file of the run is in its way there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from rtrace.capture.books.folders import list_directory
from rtrace.capture.books.ledger import Ledger
from rtrace.capture.books.snapshots import SnapshotLimitError, copy_content
from rtrace.capture.relay.streams import Kind, Stream
from rtrace.trace.schema import KEPT_INPUT, Use

CHUNK = 1 << 20
DEVICES = frozenset({b"/dev/null", b"/dev/zero", b"/dev/full", b"/dev/random", b"/dev/urandom"})
"""What every replay has, too."""


OF_KERNEL = (b"/proc/", b"/sys/")
"""Where files say what a machine or a process is like now. A replay opens none of them for a program."""


def note_path(ledger: Ledger, process: int, stream: Stream, limit: int) -> bytes | None:
    """Note what was opened before the run as used by its first process; return the path a replay finds it by.

    None for a file that has no name and could not be copied: it takes more than ``limit`` bytes, or cannot be read.
    """
    path = stream.path or b""
    status = os.fstat(stream.descriptor)
    if not is_there(path, status) or path.startswith(OF_KERNEL):
        return keep_nameless(ledger, process, stream, limit) if stream.kind is Kind.FILE else None
    state = ledger.state(path, os.lstat(path))
    if stream.kind is Kind.FOLDER:
        list_directory(ledger, state)
        use = Use.LIST
    else:
        use = Use(Use.READ if stream.reads else 0)
        if stream.writes:
            ledger.before_change(state)
            state.mutated = True
            use |= Use.WRITE | (Use.APPEND if "append" in stream.access else 0)
    ledger.uses.append((ledger.run, process, ledger.now(), state.id, int(use)))
    return path


def is_only_extended(stream: Stream, status: os.stat_result) -> bool:
    """Whether a file can only grow by what is written through a descriptor, and is not read through it."""
    return (
        stream.kind is Kind.FILE and not stream.reads and ("append" in stream.access or stream.offset >= status.st_size)
    )


def note_extended(ledger: Ledger, process: int, stream: Stream, before: os.stat_result, limit: int) -> None:
    """Note a file that was extended through a descriptor, as changed by the run, if it was; keep what it held before.

    ``before`` is what it was when the run began. Nothing is noted of one that has no name any more.
    """
    now = os.fstat(stream.descriptor)
    path = stream.path or b""
    if (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns) or not is_there(path, now):
        return
    state = ledger.state(path, before)
    if not state.settled:
        copy = f"{ledger.run}-{state.id}"
        problem = None
        try:
            copy_behind(stream.descriptor, ledger.snapshots.folder / copy, limit, length=before.st_size)
        except (OSError, SnapshotLimitError) as error:
            problem = str(error)
        state.settled = True
        row = (ledger.run, state.id, copy if problem is None else None, problem)
        ledger.journal.pending["snapshots"].append(row)
    state.mutated = True
    use = Use.WRITE | (Use.APPEND if "append" in stream.access else 0)
    ledger.uses.append((ledger.run, process, ledger.now(), state.id, int(use)))


def keep_nameless(ledger: Ledger, process: int, stream: Stream, limit: int) -> bytes | None:
    """Copy a file that has been removed or never had a name (a here-document, a memfd), and give it one."""
    copy = ledger.snapshots.folder / f"{ledger.run}-descriptor-{stream.descriptor}"
    try:
        copy_behind(stream.descriptor, copy, limit)
    except (OSError, SnapshotLimitError):
        with contextlib.suppress(OSError):
            copy.unlink()
        return None
    return adopt(ledger, process, stream.descriptor, copy)


def adopt(ledger: Ledger, process: int, descriptor: int, copy: Path) -> bytes:
    """Give what was kept, a file of the trace directory's file system, a path that the run read; return that.

    The name is another in each trace, so that traces can be combined.
    """
    name = {0: "stdin"}.get(descriptor, str(descriptor))
    path = KEPT_INPUT + f"/{name}-{os.urandom(4).hex()}".encode()
    state = ledger.state(path, copy.stat())
    state.settled = True
    file = f"{ledger.run}-{state.id}"
    copy.rename(ledger.snapshots.folder / file)
    ledger.journal.pending["snapshots"].append((ledger.run, state.id, file, None))
    ledger.uses.append((ledger.run, process, ledger.now(), state.id, int(Use.READ)))
    return path


def is_there(path: bytes, status: os.stat_result) -> bool:
    """Whether a path still leads to what was opened, a file or folder."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return False
    same = (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)
    return same and (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))


def copy_behind(descriptor: int, destination: Path, limit: int, length: int | None = None) -> None:
    """Copy all of the file behind a descriptor, whose offset stays where it is, or its first ``length`` bytes.

    Raises OSError, and SnapshotLimitError when it takes more than ``limit`` bytes.
    """
    reading = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        writing = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            copy_content(reading, writing, limit)
            if not os.fstat(writing).st_size:  # files of /proc say that they are empty
                copy_read(reading, writing, limit)
            if length is not None:
                os.ftruncate(writing, length)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def copy_read(reading: int, writing: int, limit: int) -> None:
    """Copy what can be read. Raises OSError, and SnapshotLimitError when that is more than ``limit`` bytes."""
    size = 0
    while data := os.read(reading, CHUNK):
        size += len(data)
        if size > limit:
            raise SnapshotLimitError(size)
        os.write(writing, data)
