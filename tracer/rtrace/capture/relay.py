"""The relay: a process of its own that passes on what a run writes, and keeps it.

    program --- pipe or pty ---> relay ---> where standard output led before
                                   |
                                   +------> a file in the trace directory

It never blocks on a reader that is slow, and stops reading then, so that the program feels it as before; when the
reader goes away it closes its own end, and the program gets SIGPIPE. At a terminal it is also the program's session
leader and parent, as the shell would be, so that job control works: a program that stops stops the tracer, too. From
the tracer it hears WINDOW, CONTINUED and FINISH; when the tracer is killed it restores the terminal and ends with the
last of the run's processes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
from collections.abc import Callable

from rtrace.capture.keeping import Keeper, Kept, ReturnRemover
from rtrace.capture.terminal import OuterTerminal, adds_returns, copy_window

WINDOW, CONTINUED, FINISH = b"W", b"C", b"F"
CHUNK = 1 << 16
TYPED = 4096
PATIENCE = 200  # milliseconds between two looks at whether a shell has given the terminal back
GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL
IGNORED = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
    signal.SIGWINCH,
)


class Channel:
    """One direction: what can be read from ``source`` is written to ``sink``, and nothing read while that is full."""

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
        """Return what is written of what was read."""
        return data

    def ended(self, *, cut: bool) -> None:
        """Hear that the source has ended, or (``cut``) that the sink has gone before."""

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
        """Write what the sink takes now; the rest waits."""
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
        """Write what waits, or learn that the sink has gone."""
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


class Poller:
    """Descriptors that are watched, each with what is to be called when something happens to it."""

    def __init__(self) -> None:
        """Begin with none."""
        self.poll = select.poll()
        self.calls: dict[int, Callable[[int], None]] = {}

    def watch(self, descriptor: int, events: int, call: Callable[[int], None]) -> None:
        """Watch a descriptor for these events (and for its end) from now on."""
        self.poll.register(descriptor, events)
        self.calls[descriptor] = call

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no more."""
        if self.calls.pop(descriptor, None) is not None:
            self.poll.unregister(descriptor)

    def wait(self, timeout: int | None) -> bool:
        """Wait and call; tell whether anything happened."""
        ready = self.poll.poll(timeout)
        for descriptor, what in ready:
            call = self.calls.get(descriptor)
            if call is not None:
                call(what)
        return bool(ready)


class Output(Channel):
    """What the program writes. At a terminal the pty's newlines are kept as the program wrote them."""

    def __init__(
        self, poller: Poller, ends: tuple[int, int], keeper: Keeper, terminal: OuterTerminal | None = None
    ) -> None:
        """Keep what passes from the one to the other of ``ends``; ``terminal`` is where a session's output goes."""
        self.keeper: Keeper | None = keeper
        self.terminal = terminal
        self.remover = ReturnRemover() if terminal is not None else None
        super().__init__(poller, *ends, CHUNK)

    def take(self, data: bytes) -> None:
        """Keep it."""
        if self.keeper is None:
            return
        if self.remover is not None:
            held = self.remover.held
            if self.open and not adds_returns(self.source):
                self.remover.held = b""
                data = held + data
            else:
                data = self.remover.remove(data)
        self.keeper.add(data)

    def shape(self, data: bytes) -> bytes:
        """Leave it to a terminal that is not raw, as that of a background job, to add returns a second time."""
        if self.terminal is not None and self.terminal.cooked is None and adds_returns(self.sink):
            return data.replace(b"\r\n", b"\n")
        return data

    def ended(self, *, cut: bool) -> None:
        """Remember whether there may have been more."""
        if self.keeper is not None:
            self.keeper.cut = cut

    def finish(self) -> Kept | None:
        """Keep no more, and tell what came."""
        keeper, self.keeper = self.keeper, None
        if keeper is None:
            return None
        if self.remover is not None:
            keeper.add(self.remover.flush())
        return keeper.finish()


class Input(Channel):
    """What a person types; only taken as long as the terminal is the tracer's to read."""

    def __init__(self, poller: Poller, terminal: OuterTerminal, source: int, sink: int) -> None:
        """Take it from ``source``, the terminal opened anew."""
        self.terminal = terminal
        self.waits = False
        super().__init__(poller, source, sink, TYPED)

    def pass_on(self, what: int = 0) -> None:
        """Read what was typed, unless a shell has the terminal now."""
        if self.terminal.is_ours():
            super().pass_on(what)
        else:
            self.waits = True
            self.pause()

    def look(self) -> None:
        """Read again if the terminal is ours again."""
        if self.waits and self.terminal.is_ours():
            self.waits = False
            self.terminal.take()
            self.resume()


class Session:
    """A program at a terminal: its process, and the terminal outside of its pty, which ``slave`` keeps from ending."""

    def __init__(self, relay: Relay, program: int, terminal: OuterTerminal, slave: int, keyboard: Input) -> None:
        """Take the terminal, unless the tracer is in the background."""
        self.relay = relay
        self.program = program
        self.terminal = terminal
        self.slave = slave
        self.input = keyboard
        self.suspended = False
        self.alive = True
        terminal.take()
        wake, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        relay.poller.watch(wake, select.POLLIN, lambda _: self.child_changed(wake))
        self.child_changed(wake)  # what happened before there was a handler

    def child_changed(self, wake: int) -> None:
        """Take what wait(2) has to tell of the program."""
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
                if pid == 0:
                    return
                if pid != self.program:
                    continue
                if os.WIFSTOPPED(status):
                    self.suspended = True
                    self.input.pause()
                    self.relay.when_quiet(self.stop_tracer)
                elif os.WIFCONTINUED(status):
                    if self.suspended:
                        os.kill(self.terminal.owner, signal.SIGCONT)
                else:
                    self.alive = False
                    self.relay.when_quiet(self.leave)

    def stop_tracer(self) -> None:
        """Let the shell have the terminal: the whole job stops, as it would have done without a tracer."""
        if self.suspended:
            self.terminal.give_back()
            os.kill(self.terminal.owner, signal.SIGTSTP)

    def go_on(self) -> None:
        """Let the program go on, in the foreground or in the background."""
        if not self.alive:
            return
        self.terminal.take()
        copy_window(self.terminal.descriptor, self.slave)
        self.input.waits = True
        self.input.look()
        if self.suspended:
            self.suspended = False
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.program, signal.SIGCONT)

    def notice_hang_up(self, outputs: list[Output]) -> None:
        """When the terminal outside is gone, let go of the pty: its session gets SIGHUP, as it would have got."""
        if self.input.open and not any(output.open for output in outputs if output.terminal is not None):
            self.input.close(cut=True)

    def leave(self) -> None:
        """Give the terminal back for good."""
        self.alive = False
        self.input.waits = False
        self.input.pause()
        self.terminal.give_back()

    def end(self) -> None:
        """Let the pty end when the last process that has it open does."""
        self.leave()
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1


class Relay:
    """The loop of the relay."""

    def __init__(self, control: socket.socket, tracer: int) -> None:
        """Listen to the tracer, a process that shares a process group with the program unless there is a session."""
        self.poller = Poller()
        self.control = control
        self.tracer = tracer
        self.outputs: list[Output] = []
        self.session: Session | None = None
        self.quiet: list[Callable[[], None]] = []
        control.settimeout(0)
        self.poller.watch(control.fileno(), select.POLLIN, self.listen)

    def when_quiet(self, call: Callable[[], None]) -> None:
        """Call something as soon as all that was written so far has been passed on."""
        self.quiet.append(call)

    def run(self) -> None:
        """Relay until the tracer and all writers are gone."""
        while self.control.fileno() >= 0 or any(output.open for output in self.outputs):
            if self.session is not None:
                self.session.notice_hang_up(self.outputs)
            idle = not any(output.pending for output in self.outputs)
            waits = self.session is not None and self.session.input.waits
            happened = self.poller.wait(0 if self.quiet and idle else PATIENCE if waits else None)
            if waits and self.session is not None:
                self.session.input.look()
            if self.quiet and not happened and idle:
                calls, self.quiet = self.quiet, []
                for call in calls:
                    call()

    def listen(self, _: int) -> None:
        """Take a word of the tracer's, or learn that it is gone."""
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
            self.when_quiet(self.report)
        elif not word:
            self.hang_up()

    def copy_windows(self) -> None:
        """Give the ptys the size that the terminals have now; who shares the tracer's group has to be told."""
        changed = [copy_window(output.sink, output.source) for output in self.outputs if output.open]
        if any(changed) and self.session is None:
            with contextlib.suppress(OSError):
                os.killpg(os.getpgid(self.tracer), signal.SIGWINCH)

    def report(self) -> None:
        """Tell the tracer what was kept of each stream, a line each."""
        if self.session is not None:
            self.session.leave()
        lines = []
        for output in self.outputs:
            kept = output.finish()
            if kept is not None:
                lines.append(f"{kept.size} {kept.kept} {kept.sha256} {int(kept.cut)}")
        with contextlib.suppress(OSError):
            self.control.send("\n".join(lines).encode())
        self.hang_up()

    def hang_up(self) -> None:
        """Go on without the tracer, as long as there is anybody who writes."""
        self.poller.forget(self.control.fileno())
        self.control.close()
        if self.session is not None:
            self.session.end()


def ignore_signals() -> None:
    """Leave it to the tracer what signals mean; it ends, and then the relay does."""
    signal.set_wakeup_fd(-1)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


def close_all_but(kept: set[int]) -> None:
    """Close what was inherited: a pipe's end held here would keep others waiting for its end."""
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


def set_nonblocking(descriptor: int) -> None:
    """Set O_NONBLOCK on a descriptor that nobody else shares."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
