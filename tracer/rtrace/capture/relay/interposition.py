"""Put a relay behind the standard streams of a run: make its pipes and ptys, start it, and ask it what it kept.

    usually         tracer --- fork ---> program
                       +------ fork ---> (ends at once) --- fork ---> relay
    at a terminal   tracer --- fork ---> (ends at once) --- fork ---> relay --- fork ---> program

The relay is nobody's child, as the tracer waits for all of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path

from rtrace.capture.kernel.terminal import restored
from rtrace.capture.processes.own_limits import explain_limits
from rtrace.capture.relay.ends import InletEnds, OutletEnds, connect, open_ends, open_inlet
from rtrace.capture.relay.keeping import KEPT_BYTES, Kept
from rtrace.capture.relay.process import CONTINUED, FINISH, WINDOW, make_relay
from rtrace.capture.relay.streams import Inlet, Kind, Outlet
from rtrace.debugging import debug
from rtrace.errors import TracingRefusedError
from rtrace.linux import libc
from rtrace.linux.signals import unblocked

ADVICE = "--no-capture leaves the streams of the run alone"


class Interposition:
    """The relay of a run, as the tracer sees it."""

    def __init__(self, files: Mapping[Outlet | Inlet, Path], limit: int = KEPT_BYTES) -> None:
        """Relay these streams, and keep the first ``limit`` bytes of each in its file."""
        self.outlets = tuple(place for place in files if isinstance(place, Outlet))
        self.inlets = tuple(place for place in files if isinstance(place, Inlet))
        self.files = files
        self.limit = limit
        self.session = any(outlet.session for outlet in self.outlets)
        self.control: socket.socket | None = None

    @property
    def descriptors(self) -> frozenset[int]:
        """The program's descriptors behind which there is a relay."""
        every = (*(outlet.descriptors for outlet in self.outlets), *(inlet.descriptors for inlet in self.inlets))
        return frozenset(descriptor for descriptors in every for descriptor in descriptors)

    def fork(self) -> int:
        """Fork the program's process, with the relay behind its streams; return as fork(2) does.

        Raises TracingRefusedError when the relay cannot be made; nothing has been run then.
        """
        inlets = self._open_inlets()
        if not self.outlets and not inlets:
            return os.fork()
        try:
            ends = [open_ends(outlet, self.files[outlet]) for outlet in self.outlets]
        except OSError as error:
            reason = f"{error.strerror}{explain_limits()}"
            raise TracingRefusedError(f"cannot keep what the run writes ({reason}); {ADVICE}") from None
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        middle = os.fork()
        if middle == 0:
            return self._be_relay(theirs, ends, inlets)
        theirs.close()
        os.waitpid(middle, 0)
        if self.session:
            word = self.control.recv(16)
            if not word:
                raise TracingRefusedError(f"cannot start a session on a pty of its own; {ADVICE}")
            program = int(word)
        else:
            program = os.fork()
            if program == 0:
                connect(ends, inlets)
                return 0
        for end in ends:
            end.close()
        for inlet in inlets:
            inlet.close()
        self._let_go()
        return program

    def _open_inlets(self) -> list[InletEnds]:
        """Make the pipes for what the run reads; a stream that cannot be kept is left alone, and not known."""
        opened = []
        for inlet in self.inlets:
            try:
                opened.append(open_inlet(inlet, self.files[inlet]))
            except OSError as error:  # EINVAL, ENOSYS: no tee(2) here
                debug(__name__, "what comes by descriptors %s is not kept (%s)", inlet.descriptors, error.strerror)
        self.inlets = tuple(ends.inlet for ends in opened)
        return opened

    def _let_go(self) -> None:
        """Let the relay alone hold pipes open, so that the other ends see the end when the run ends.

        Standard error is kept open, to tell of the run there.
        """
        piped = [outlet.descriptors for outlet in self.outlets if outlet.kind is Kind.PIPE]
        left = [descriptor for descriptors in piped if 2 not in descriptors for descriptor in descriptors]  # noqa: PLR2004
        left += [descriptor for inlet in self.inlets for descriptor in inlet.descriptors]
        if left:
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            for descriptor in left:
                os.dup2(null, descriptor, inheritable=False)
            os.close(null)

    def _be_relay(self, control: socket.socket, ends: list[OutletEnds], inlets: list[InletEnds]) -> int:
        """Run the relay in a child of this process, which ends at once. Only the program's process returns, 0."""
        tracer = os.getppid()
        status = 1
        try:
            if os.fork() != 0:
                os._exit(0)
            os.setsid()
            program = begin_session(control, (ends, inlets), tracer) if self.session else -1
            if program == 0:
                return 0
            relay = make_relay(control, (ends, inlets), (tracer, program), self.limit)
            relay.run()
            status = 0
        except OSError:  # nobody is left to be told
            status = 1
        os._exit(status)

    def tell(self, word: bytes) -> None:
        """Tell the relay something, if it still lives."""
        if self.control is not None:
            with contextlib.suppress(OSError):
                self.control.send(word)

    def suspend(self) -> None:
        """Stop the whole job, as the program has stopped; when a shell lets the job go on, the program goes on, too.

        Where no shell could let it go on (an orphaned process group), the kernel ignores the signal.
        """
        with unblocked(signal.SIGTSTP):
            os.killpg(0, signal.SIGTSTP)
        self.tell(CONTINUED)

    def change_window(self) -> None:
        """Tell the relay that a terminal may have another size."""
        if any(outlet.kind is Kind.TERMINAL for outlet in self.outlets):
            self.tell(WINDOW)

    def go_on(self) -> None:
        """Tell the relay that somebody lets the tracer go on."""
        if self.session:
            self.tell(CONTINUED)

    def finish(self) -> dict[Outlet | Inlet, Kept]:
        """Wait until all that was written has been passed on; return what was kept of each outlet and inlet.

        Nothing is known of them when the relay was killed.
        """
        if self.control is None:
            return {}
        self.tell(FINISH)
        text = b""
        with contextlib.suppress(OSError):
            text = self.control.recv(1 << 16)
        self.control.close()
        self.control = None
        fields = [line.split() for line in text.decode().splitlines()]
        places: tuple[Outlet | Inlet, ...] = (*self.outlets, *self.inlets)
        return {
            place: Kept(int(size), int(kept), digest, cut == "1")
            for place, (size, kept, digest, cut) in zip(places, fields, strict=False)
        }


@contextlib.contextmanager
def interposed(interposition: Interposition) -> Iterator[None]:
    """Close the line to the relay at the end of the run, and leave the terminal as it was."""
    with restored(0 if interposition.session else None):
        try:
            yield
        finally:
            if interposition.control is not None:
                interposition.control.close()
                interposition.control = None


def begin_session(control: socket.socket, every: tuple[list[OutletEnds], list[InletEnds]], tracer: int) -> int:
    """In the relay: take the pty as controlling terminal, and fork the program into its foreground."""
    ends, inlets = every
    (slave,) = (end.program for end in ends if end.outlet.session)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    program = os.fork()
    if program == 0:
        os.setpgid(0, 0)
        with contextlib.suppress(OSError):  # EINVAL: no kernel with Yama, where nobody has to be named
            libc.control(libc.PR_SET_PTRACER, tracer)
        connect(ends, inlets)
        return 0
    with contextlib.suppress(PermissionError):
        os.setpgid(program, program)
    os.tcsetpgrp(slave, program)
    control.send(b"%d" % program)
    return program
