"""The standard streams of a replay: pipes or a terminal of its own, and the pumps between them and the caller's.

    caller's standard input    the program's
    -------------------------  --------------------------------------------------------------
    a terminal, and output is  a terminal of its own, whose other end the pumps connect
    closed, or a null device   the replay's null device
    anything else              a pipe, which is filled from it; a file of the bundle replaces it

Output to a terminal is a terminal of the program's own, whatever its input is. Other output comes through a pipe for
each of output and error, or one for both where the caller's are one.
"""

from __future__ import annotations

import contextlib
import os
import stat
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from rtrace.errors import TargetError
from rtrace.replay.protocol import Streams
from rtrace_unpackers.isolation.streams import terminal
from rtrace_unpackers.isolation.streams.pumps import KeyboardPump, Meter, Pump
from rtrace_unpackers.isolation.streams.terminal import Appearance

NULL_DEVICE = (1, 3)
F_SETPIPE_SZ, WIDE = 1031, 1 << 18


@dataclass(slots=True)
class Plumbing:
    """What connects a program with the caller while it runs.

    ``ends`` are the program's; ``pumps`` carry what it writes, ``feeder`` what it reads.
    """

    ends: list[int | None] = field(default_factory=lambda: [None, None, None])
    pumps: list[Pump] = field(default_factory=list)
    feeder: Pump | None = None
    feeders: list[Pump] = field(default_factory=list)
    """They carry what the bundle holds of what came through pipes."""
    pipes: dict[int, int] = field(default_factory=dict)
    """The program's ends of pipes besides its standard streams, by the numbers it has them by."""
    absent: list[int] = field(default_factory=list)
    on_terminal: list[int] = field(default_factory=list)
    terminal: int | None = None
    """The caller's, when what is typed there is for the program's own."""
    screen: int | None = None
    """The caller's terminal that shows what the program writes to its own, typed at or not."""
    appearance: Appearance | None = None
    master: int | None = None
    """The controlling end of the program's terminal, once there is one."""
    stop: int | None = None
    """Closing it ends the feeder."""

    def take_terminal(self, screen: int, keyboard: int | None) -> None:
        """Keep the caller's terminal, under a number that is no standard stream's: the keeper has others there.

        Without a keyboard it is not made raw, and it is the caller's that makes two characters of a line's end.
        """
        import fcntl

        self.screen = fcntl.fcntl(screen, fcntl.F_DUPFD_CLOEXEC, 3)
        self.appearance = terminal.look_at(screen)
        if keyboard is None:
            self.appearance = terminal.without_processing(self.appearance)
        else:
            self.terminal = fcntl.fcntl(keyboard, fcntl.F_DUPFD_CLOEXEC, 3)

    def raw_terminal(self) -> AbstractContextManager[None]:
        """Return the context in which the caller's terminal, if it is connected, hands on every key."""
        if self.terminal is None or self.appearance is None:
            return contextlib.nullcontext()
        return terminal.raw(self.terminal, self.appearance)

    def start(self) -> None:
        """Start the pumps; the program has its ends by now."""
        self.close_ends()
        for pump in self.list_pumps():
            if not pump.is_alive():
                pump.start()

    def list_pumps(self) -> tuple[Pump, ...]:
        """Return all that carry something."""
        return (*self.pumps, *self.feeders, *([self.feeder] if self.feeder else []))

    def feed(self, number: int, content: int) -> None:
        """Make a pipe for the program, and have an open file's content come through it; takes over its descriptor."""
        end, target = os.pipe()
        self.feeders.append(Pump(content, target))
        if number == 0:
            self.ends[0] = end
        else:
            self.pipes[number] = end

    def close_ends(self) -> None:
        """Close the program's ends."""
        for end in {end for end in (*self.ends, *self.pipes.values()) if end is not None}:
            os.close(end)
        self.ends = [None, None, None]
        self.pipes = {}

    def connect_terminal(self, master: int, meter: Meter) -> None:
        """Connect the controlling end of the program's terminal with the caller's."""
        assert self.screen is not None  # noqa: S101 -- there is no other reason for a master to come
        self.master = master
        output = Pump(os.dup(master), os.dup(self.screen), meter=meter)
        self.pumps.append(output)
        output.start()
        if self.terminal is not None:
            stop, self.stop = os.pipe()
            self.feeder = KeyboardPump(os.dup(self.terminal), os.dup(master), stop=stop)
            self.feeder.start()

    def finish(self, run: str, *, patience: float | None) -> None:
        """Wait until all that the program wrote has arrived, or some seconds. Raises TargetError when it could not."""
        if self.stop is not None:
            os.close(self.stop)
            self.stop = None
        for pump in self.pumps:
            pump.join(patience)
            if pump.failure is not None:
                raise TargetError(f"cannot pass on what {run} printed: {pump.failure.strerror}")

    def close(self) -> None:
        """Close everything, started or not."""
        self.close_ends()
        for descriptor in (self.stop, self.master, self.terminal, self.screen):
            if descriptor is not None:
                os.close(descriptor)
        self.stop = self.master = self.terminal = self.screen = None
        for pump in self.list_pumps():
            if pump.ident is None:
                for descriptor in (pump.source, pump.target):
                    with contextlib.suppress(OSError):  # EIO on closing: nothing was written through it
                        os.close(descriptor)


def lay(streams: Streams, meter: Meter, *, reads: bool, is_fed: bool = False) -> Plumbing:
    """Make the pipes for a program's streams.

    ``reads`` tells whether its standard input is the caller's, ``is_fed`` whether it will be a pipe with content of the
    bundle's.
    """
    plumbing = Plumbing()
    if is_terminal(streams.stdout):
        has_keyboard = is_terminal(streams.stdin)
        plumbing.take_terminal(streams.stdout, streams.stdin if has_keyboard else None)
        takes_keyboard = has_keyboard and not is_fed
        plumbing.on_terminal = [*([0] if takes_keyboard else []), 1, *([2] if is_terminal(streams.stderr) else [])]
    if 0 in plumbing.on_terminal or is_fed:
        pass  # what is typed is read from there; what is fed comes later
    elif not reads or is_absent(streams.stdin):
        plumbing.absent.append(0)
    else:
        plumbing.ends[0], target = os.pipe()
        stop, plumbing.stop = os.pipe()
        plumbing.feeder = Pump(os.dup(streams.stdin), target, stop=stop)
    for number, stream in ((1, streams.stdout), (2, streams.stderr)):
        if number in plumbing.on_terminal:
            continue
        if is_closed(stream):
            plumbing.absent.append(number)
        elif number == 2 and plumbing.ends[1] is not None and are_one(stream, streams.stdout):  # noqa: PLR2004
            plumbing.ends[2] = plumbing.ends[1]
        else:
            source, plumbing.ends[number] = os.pipe()
            widen(source)
            plumbing.pumps.append(Pump(source, os.dup(stream), meter=meter))
    return plumbing


def widen(pipe: int) -> None:
    """Let a pipe hold more, so that a program that prints much waits less; see fcntl(2), F_SETPIPE_SZ."""
    import fcntl

    with contextlib.suppress(OSError):  # EPERM: the user has as many pages in pipes as they may have
        fcntl.fcntl(pipe, F_SETPIPE_SZ, WIDE)


def is_closed(descriptor: int) -> bool:
    """Whether there is nothing behind a descriptor."""
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False


def is_terminal(descriptor: int) -> bool:
    """Whether a descriptor is a terminal's."""
    return not is_closed(descriptor) and os.isatty(descriptor)


def is_absent(descriptor: int) -> bool:
    """Whether nothing can be read from a descriptor: it is closed, or the null device."""
    if is_closed(descriptor):
        return True
    status = os.fstat(descriptor)
    device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    return stat.S_ISCHR(status.st_mode) and device == NULL_DEVICE


def are_one(one: int, other: int) -> bool:
    """Whether two descriptors are of one file, pipe or terminal, so that the order of what is written counts."""
    return one == other or os.path.samestat(os.fstat(one), os.fstat(other))
