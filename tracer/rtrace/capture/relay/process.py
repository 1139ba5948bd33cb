"""The relay: a process of its own that passes on what a run writes, and keeps it.

    program --- pipe or pty ---> relay ---> where standard output led before
                                   |
                                   +------> a file in the trace directory

and what it reads from pipes, see ``input``.

It never blocks on a slow reader; it stops reading, so that the program has to wait, as it would without a relay. When
the reader goes away, it closes its own end, and the program gets SIGPIPE. At a terminal it is also the program's
session leader and parent, as the shell would be, so that job control works: a program that stops stops the tracer,
too. From the tracer it hears WINDOW, CONTINUED and FINISH; when the tracer is killed it restores the terminal and ends
with the last of the run's processes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterator

from rtrace.capture.kernel.terminal import OuterTerminal, copy_window
from rtrace.capture.relay.ends import InletEnds, OutletEnds
from rtrace.capture.relay.input import PipeInput
from rtrace.capture.relay.keeping import Keeper
from rtrace.capture.relay.keyboard import Keyboard
from rtrace.capture.relay.output import OutputChannel
from rtrace.capture.relay.poller import Poller
from rtrace.capture.relay.terminal_session import TerminalSession

WINDOW, CONTINUED, FINISH = b"W", b"C", b"F"
PATIENCE = 200  # milliseconds between two looks at whether a shell has given the terminal back
IGNORED = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}


class Relay:
    """The loop of the relay."""

    def __init__(self, control: socket.socket, tracer: int) -> None:
        """Listen to the tracer, a process that shares a process group with the program unless there is a session."""
        self.poller = Poller()
        self.control = control
        self.tracer = tracer
        self.outputs: list[OutputChannel] = []
        self.inputs: list[PipeInput] = []
        self.session: TerminalSession | None = None
        control.settimeout(0)
        self.poller.watch(control.fileno(), select.POLLIN, self.listen)

    def run(self) -> None:
        """Relay until the tracer and all writers have ended."""
        while self.control.fileno() >= 0 or any(self.still_open()):
            if self.session is not None:
                self.session.notice_hang_up(self.outputs)
            idle = not any(output.pending for output in self.outputs)
            waits = self.session is not None and self.session.keyboard.waits
            unread = [stream for stream in self.inputs if stream.waits]
            happened = self.poller.wait(0 if self.poller.quiet and idle else PATIENCE if waits or unread else None)
            for stream in unread if not happened else ():
                stream.look()
            if waits and self.session is not None:
                self.session.keyboard.look()
            if self.poller.quiet and not happened and idle:
                self.poller.call_quiet()

    def still_open(self) -> Iterator[bool]:
        """Yield for each stream whether anything may still come."""
        yield from (output.open for output in self.outputs)
        yield from (stream.open for stream in self.inputs)

    def listen(self, _: int) -> None:
        """Obey a word from the tracer, or find out that it has ended."""
        try:
            word = self.control.recv(1)
        except BlockingIOError:
            return
        except OSError:
            word = b""
        if word == WINDOW:
            self.copy_windows()
        elif word == CONTINUED and self.session is not None:
            self.session.go_on()
        elif word == FINISH:
            self.poller.when_quiet(self.report)
        elif not word:
            self.hang_up()

    def copy_windows(self) -> None:
        """Give the ptys the size that the terminals have now, and send SIGWINCH to a program in the tracer's group."""
        changed = [copy_window(output.sink, output.source) for output in self.outputs if output.open]
        if any(changed) and self.session is None:
            with contextlib.suppress(OSError):
                os.killpg(os.getpgid(self.tracer), signal.SIGWINCH)

    def report(self) -> None:
        """Tell the tracer what was kept of each stream, a line each."""
        if self.session is not None:
            self.session.leave()
        every = (*(output.finish() for output in self.outputs), *(stream.finish() for stream in self.inputs))
        lines = [f"{kept.size} {kept.kept} {kept.sha256} {int(kept.cut)}" for kept in every if kept is not None]
        with contextlib.suppress(OSError):
            self.control.send("\n".join(lines).encode())
        self.hang_up()

    def hang_up(self) -> None:
        """Go on without the tracer for as long as anybody writes."""
        self.poller.forget(self.control.fileno())
        self.control.close()
        if self.session is not None:
            self.session.end()


def make_relay(
    control: socket.socket, every: tuple[list[OutletEnds], list[InletEnds]], processes: tuple[int, int], limit: int
) -> Relay:
    """In the relay: close what it does not need, and make its channels; ``processes`` are tracer and program."""
    ends, inlets = every
    ignore_signals()
    tracer, program = processes
    kept = {control.fileno()}
    for end in ends:
        kept |= {end.source, end.sink, end.file}
        if end.outlet.session:
            kept |= {end.program, end.keyboard, end.terminal}
    for inlet in inlets:
        kept |= {inlet.source, inlet.sink, inlet.file}
    close_all_but(kept)
    relay = Relay(control, tracer)
    for inlet in inlets:
        relay.inputs.append(PipeInput(relay.poller, (inlet.source, inlet.sink), Keeper(inlet.file, limit)))
    for end in ends:
        keeper = Keeper(end.file, limit)
        terminal = (
            OuterTerminal(end.terminal, tracer, controlling=end.outlet.controlling) if end.outlet.session else None
        )
        relay.outputs.append(OutputChannel(relay.poller, (end.source, end.sink), keeper, terminal))
        if terminal is not None:
            keyboard = Keyboard(relay.poller, terminal, end.keyboard, os.dup(end.source))
            relay.session = TerminalSession(relay.poller, program, terminal, end.program, keyboard)
    return relay


def ignore_signals() -> None:
    """Ignore signals: they are for the tracer, and when it has ended the relay ends."""
    signal.set_wakeup_fd(-1)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


def close_all_but(kept: set[int]) -> None:
    """Close what was inherited: a pipe held open here would keep its reader waiting for the end."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if descriptor not in kept:
            os.dup2(null, descriptor)
    low = 3
    for descriptor in sorted(kept):
        if descriptor >= low:
            os.closerange(low, descriptor)
            low = descriptor + 1
    os.closerange(low, 1 << 20)
