"""What the standard streams of a run are before it begins, and which of them a relay will stand behind.

terminal    a pty of its own; with standard input and output on one terminal, it is the program's controlling one
pipe        another pipe; one and the same for both, if standard output and error are the same
file        left alone: what the run writes is found in it afterwards, between two offsets
the rest    left alone, and not kept
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import termios
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from rtrace.capture.terminal import is_controlling

TIOCGDEV = 0x80045432  # ioctl_tty(2): the device behind /dev/tty
DELETED = b" (deleted)"


class Kind(str, Enum):
    """What a standard stream is."""

    TERMINAL = "terminal"
    PIPE = "pipe"
    FILE = "file"
    NULL = "null"
    DEVICE = "device"
    SOCKET = "socket"
    OTHER = "other"
    CLOSED = "closed"


RELAYED = frozenset({Kind.TERMINAL, Kind.PIPE})
COMPARABLE = frozenset({Kind.TERMINAL, Kind.PIPE, Kind.FILE})


class Stream(NamedTuple):
    """A standard stream as the tracer found it; two with the same ``identity`` lead to the same place.

    ``offset`` is where a file is read or written next, ``path`` that of a file (None when it has none any more).
    """

    descriptor: int
    kind: Kind
    identity: tuple[int, int] = (0, 0)
    path: bytes | None = None
    offset: int = 0


def look_at_streams() -> tuple[Stream, Stream, Stream]:
    """Look at the standard streams. To be called before a file is opened, which would take a closed one's number."""
    return look_at(0), look_at(1), look_at(2)


def look_at(descriptor: int) -> Stream:
    """Tell what a descriptor is."""
    try:
        status = os.fstat(descriptor)
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    except OSError:
        return Stream(descriptor, Kind.CLOSED)
    identity = (status.st_dev, status.st_ino)
    if stat.S_ISREG(status.st_mode):
        offset = status.st_size if flags & os.O_APPEND else os.lseek(descriptor, 0, os.SEEK_CUR)
        return Stream(descriptor, Kind.FILE, identity, os.readlink(b"/proc/self/fd/%d" % descriptor), offset)
    if stat.S_ISFIFO(status.st_mode):
        return Stream(descriptor, Kind.PIPE, identity)
    if stat.S_ISSOCK(status.st_mode):
        return Stream(descriptor, Kind.SOCKET, identity)
    if not stat.S_ISCHR(status.st_mode):
        return Stream(descriptor, Kind.OTHER, identity)
    if os.isatty(descriptor):
        return Stream(descriptor, Kind.TERMINAL, (0, find_device(descriptor, status.st_rdev)))
    kind = Kind.NULL if status.st_rdev == os.stat(os.devnull).st_rdev else Kind.DEVICE
    return Stream(descriptor, kind, (0, status.st_rdev))


def find_device(terminal: int, number: int) -> int:
    """Return the number of a terminal's own device, also when it was opened as /dev/tty."""
    with contextlib.suppress(OSError):
        (number,) = struct.unpack("I", fcntl.ioctl(terminal, TIOCGDEV, bytes(4)))
    return number


class Outlet(NamedTuple):
    """One way out of a run, for those of its descriptors that lead to the same place, the first named first.

    ``session``: the program gets a session of its own on a pty, through which its input goes, too. ``controlling``
    says that the terminal is this process's controlling one, so that a shell may put it in the background.
    """

    kind: Kind
    descriptors: tuple[int, ...]
    session: bool = False
    controlling: bool = False


def plan_outlets(streams: tuple[Stream, Stream, Stream]) -> tuple[Outlet, ...]:
    """Choose what to relay.

    A pty for the input as well is for programs that sit at a terminal with input and output: only they change its
    modes, and nobody else reads what is typed. In any other mix the input stays what it was, as does the session.
    """
    stdin, stdout, _ = streams
    groups: dict[tuple[Kind, tuple[int, int]], list[int]] = {}
    for stream in streams[1:]:
        if stream.kind in RELAYED and is_writable(stream.descriptor):
            groups.setdefault((stream.kind, stream.identity), []).append(stream.descriptor)
    sits = stdin.kind is Kind.TERMINAL and (stdin.kind, stdin.identity) == (stdout.kind, stdout.identity)
    outlets = []
    for (kind, identity), descriptors in groups.items():
        session = sits and (kind, identity) == (stdin.kind, stdin.identity)
        places = (*descriptors, 0) if session else tuple(descriptors)
        outlets.append(Outlet(kind, places, session, session and is_controlling(0)))
    return tuple(outlets)


def is_writable(descriptor: int) -> bool:
    """Tell whether a descriptor was opened for writing."""
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def find_joined(streams: Iterable[Stream]) -> bool:
    """Tell whether standard output and error lead to the same place."""
    _, stdout, stderr = streams
    return stdout.kind in COMPARABLE and (stdout.kind, stdout.identity) == (stderr.kind, stderr.identity)


def read_size(stream: Stream) -> tuple[int, int] | None:
    """Return rows and columns of a terminal; None for anything else."""
    if stream.kind is not Kind.TERMINAL:
        return None
    rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(stream.descriptor, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns
