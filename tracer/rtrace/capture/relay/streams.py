"""What the descriptors of a run are before it begins, and which of them a relay will stand behind.

terminal    a pty of its own; with standard input and output on one terminal, it is the program's controlling one
pipe        another pipe; one and the same for all descriptors that lead to the same one
file        left alone: what the run writes is found in it afterwards, between two offsets; what it reads is a path of
            the run, as any other
folder      left alone, and a path of the run
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

from rtrace.capture.kernel.terminal import is_controlling
from rtrace.capture.processes.own_limits import may_be_replaced
from rtrace.linux.descriptors import are_one_file

TIOCGDEV = 0x80045432  # ioctl_tty(2): the device behind /dev/tty
STANDARD_ERROR = 2
ACCESS = {os.O_RDONLY: "read", os.O_WRONLY: "write", os.O_RDWR: "read write"}


class Kind(str, Enum):
    """What a standard stream is."""

    TERMINAL = "terminal"
    PIPE = "pipe"
    FILE = "file"
    FOLDER = "folder"
    NULL = "null"
    DEVICE = "device"
    SOCKET = "socket"
    OTHER = "other"
    CLOSED = "closed"


RELAYED = frozenset({Kind.TERMINAL, Kind.PIPE})
COMPARABLE = frozenset({Kind.TERMINAL, Kind.PIPE, Kind.FILE})


class Stream(NamedTuple):
    """A descriptor as the tracer found it; two with the same ``identity`` lead to the same place.

    ``offset`` is where a file is read or written next, ``path`` what a file, folder or device was opened by. ``access``
    holds the words ``read``, ``write`` and ``append``, as far as it was opened for that, with spaces.
    """

    descriptor: int
    kind: Kind
    identity: tuple[int, int] = (0, 0)
    path: bytes | None = None
    offset: int = 0
    access: str = ""

    @property
    def reads(self) -> bool:
        """Whether it was opened for reading."""
        return self.access.startswith("read")

    @property
    def writes(self) -> bool:
        """Whether it was opened for writing."""
        return "write" in self.access

    @property
    def place(self) -> tuple[Kind, tuple[int, int]]:
        """Where it leads."""
        return self.kind, self.identity


Streams = tuple[Stream, Stream, Stream]


class Given(NamedTuple):
    """The descriptors that rtrace was started with, and hands on: the standard streams, and the others."""

    streams: Streams
    others: tuple[Stream, ...] = ()


def look_at_given() -> Given:
    """Look at all descriptors, and make sure that no file of ours gets the number of a closed standard stream."""
    given = Given(look_at_streams(), look_at_others())
    fill_closed(given.streams)
    return given


def look_at_streams() -> Streams:
    """Look at the standard streams. Call this before a file is opened: it would take the number of a closed one."""
    return look_at(0), look_at(1), look_at(2)


def fill_closed(streams: Streams) -> None:
    """Open the null device in the place of closed streams, until execve(2), so that no file of ours gets their numbers.

    SQLite would open it, too, and leave it open for the program.
    """
    for stream in streams:
        if stream.kind is Kind.CLOSED:
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            if null != stream.descriptor:
                os.dup2(null, stream.descriptor, inheritable=False)
                os.close(null)


def look_at_others() -> tuple[Stream, ...]:
    """Look at what was inherited besides the standard streams: all that stays open across execve(2)."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # EBADF: the folder that was just listed
            if int(name) > STANDARD_ERROR and not fcntl.fcntl(int(name), fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
                found.append(look_at(int(name)))
    return tuple(sorted(found))


def look_at(descriptor: int) -> Stream:
    """Return what a descriptor is."""
    try:
        status = os.fstat(descriptor)
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    except OSError:
        return Stream(descriptor, Kind.CLOSED)
    identity = (status.st_dev, status.st_ino)
    path, offset = os.readlink(b"/proc/self/fd/%d" % descriptor), 0
    access = "" if flags & os.O_PATH else ACCESS.get(flags & os.O_ACCMODE, "")
    if flags & os.O_APPEND and "write" in access:
        access += " append"
    if not access:
        kind = Kind.OTHER
    elif stat.S_ISREG(status.st_mode):
        kind = Kind.FILE
        offset = status.st_size if flags & os.O_APPEND else os.lseek(descriptor, 0, os.SEEK_CUR)
    elif stat.S_ISDIR(status.st_mode):
        kind = Kind.FOLDER
    elif stat.S_ISFIFO(status.st_mode):
        kind = Kind.PIPE
    elif stat.S_ISSOCK(status.st_mode):
        kind = Kind.SOCKET
    elif not stat.S_ISCHR(status.st_mode):
        kind = Kind.OTHER
    elif os.isatty(descriptor):
        kind, identity = Kind.TERMINAL, (0, find_device(descriptor, status.st_rdev))
    else:
        kind, identity = Kind.DEVICE, (0, status.st_rdev)
        if status.st_rdev == os.stat(os.devnull).st_rdev:
            kind = Kind.NULL
    return Stream(descriptor, kind, identity, path, offset, access)


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


class Inlet(NamedTuple):
    """One pipe from which a run reads, for all of its descriptors that lead there."""

    descriptors: tuple[int, ...]


def plan_outlets(streams: Streams, others: tuple[Stream, ...] = ()) -> tuple[Outlet, ...]:
    """Choose which streams to relay that are written to. ``others`` are those besides the standard streams.

    A pty for the input as well is for programs that sit at a terminal with input and output: only they change its
    modes, and nobody else reads what is typed. In any other case input and session stay what they were.
    """
    stdin, stdout, _ = streams
    every = (*streams, *others)
    groups: dict[tuple[Kind, tuple[int, int]], list[int]] = {}
    for stream in streams[1:]:
        if stream.kind in RELAYED and stream.writes:
            groups.setdefault(stream.place, []).append(stream.descriptor)
    for stream in others:
        if (
            stream.writes
            and may_be_replaced(stream.descriptor)
            and (stream.place in groups or is_way_out(stream, every))
        ):
            groups.setdefault(stream.place, []).append(stream.descriptor)
    sits = stdin.kind is Kind.TERMINAL and stdin.place == stdout.place
    outlets = []
    for place, descriptors in groups.items():
        session = sits and place == stdin.place
        places = (*descriptors, 0) if session else tuple(descriptors)
        outlets.append(Outlet(place[0], places, session, session and is_controlling(0)))
    return tuple(outlets)


def plan_inlets(streams: Streams, others: tuple[Stream, ...] = ()) -> tuple[Inlet, ...]:
    """Choose the pipes whose content is kept on its way in: those from which the run can only read."""
    every = (*streams, *others)
    groups: dict[tuple[int, int], list[int]] = {}
    for stream in every:
        if may_be_replaced(stream.descriptor) and is_way_in(stream, every):
            groups.setdefault(stream.identity, []).append(stream.descriptor)
    return tuple(Inlet(tuple(descriptors)) for descriptors in groups.values())


def is_way_in(stream: Stream, every: Iterable[Stream]) -> bool:
    """Whether a descriptor leads to a pipe that somebody else fills: the run cannot write to it."""
    ends = [other for other in every if other.place == stream.place]
    return stream.kind is Kind.PIPE and stream.reads and not any(other.writes for other in ends)


def is_way_out(stream: Stream, every: Iterable[Stream]) -> bool:
    """Whether a descriptor leads to a pipe that somebody else reads."""
    ends = [other for other in every if other.place == stream.place]
    return stream.kind is Kind.PIPE and stream.writes and not any(other.reads for other in ends)


def find_same(stream: Stream, every: Iterable[Stream]) -> int | None:
    """Return the lowest descriptor that is the same as this one, None if there is no other. Not for standard streams.

    Files that were opened twice have offsets of their own; those of one open file share it.
    """
    for other in every:
        if other.descriptor >= stream.descriptor or (other.place, other.access) != (stream.place, stream.access):
            continue
        if stream.kind not in {Kind.FILE, Kind.FOLDER} or are_one_file(other.descriptor, stream.descriptor):
            return other.descriptor
    return None


def find_joined(streams: Iterable[Stream]) -> bool:
    """Whether standard output and error lead to the same place."""
    _, stdout, stderr = streams
    return stdout.kind in COMPARABLE and (stdout.kind, stdout.identity) == (stderr.kind, stderr.identity)


def read_size(stream: Stream) -> tuple[int, int] | None:
    """Return rows and columns of a terminal; None for anything else."""
    if stream.kind is not Kind.TERMINAL:
        return None
    rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(stream.descriptor, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns
