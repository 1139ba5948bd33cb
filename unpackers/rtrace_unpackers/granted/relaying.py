"""Connections to ports of the caller's machine, carried into a replay and back.

    client --- accepted socket --- two threads --- inner socket --- a server of the replay

Nothing in a replay takes part in this but its server: it holds no descriptor of the caller's.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

from rtrace.debugging import debug
from rtrace_unpackers.granted.listening import Listener

PART = 1 << 16
MOST_CONNECTIONS = 32
"""At a time; others wait to be accepted."""
LAST_WORDS = 5.0
"""Seconds that threads get to end once their sockets are shut."""

Connect = Callable[[int], socket.socket]
"""Connects to a port of a replay. Raises OSError."""


class Relay:
    """Accepts connections and carries them, in threads, until it is stopped. The listening sockets do not block."""

    def __init__(self, listeners: Sequence[Listener], connect: Connect) -> None:
        self.listeners = listeners
        self.connect = connect
        self.room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.threads: list[threading.Thread] = []
        self.is_over = False
        self.ended, self.ending = socket.socketpair()

    def start(self) -> None:
        """Begin to accept."""
        for listener in self.listeners:
            self.begin(self.accept, listener)

    def begin(self, work: Callable[..., None], *arguments: object) -> None:
        """Start a thread; signals are for the main one."""
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        with self.lock:
            self.threads = [*(one for one in self.threads if one.is_alive() or one.ident is None), thread]
        with signals_blocked():
            thread.start()

    def stop(self) -> None:
        """Accept no more, and end all connections."""
        with self.lock:
            self.is_over = True
            self.ending.close()
            for one in self.open:
                shut(one, socket.SHUT_RDWR)
            threads = tuple(self.threads)
        for thread in threads:
            thread.join(LAST_WORDS)
        self.ended.close()

    def accept(self, listener: Listener) -> None:
        """Accept connections at one port until all is over."""
        while True:
            self.room.acquire()
            try:
                select.select([listener.socket, self.ended], [], [])
                if self.is_over:
                    return
                client, _ = listener.socket.accept()
            except (BlockingIOError, ConnectionAbortedError):  # the client is gone already
                self.room.release()
                continue
            except OSError as error:  # EMFILE and others: of this process, not of one connection
                debug(__name__, "no more connections to port %d of the replay: %s", listener.port, error)
                return
            client.setblocking(True)  # noqa: FBT003 -- it takes no keyword
            self.begin(self.carry, client, listener.port)

    def carry(self, client: socket.socket, port: int) -> None:
        """Carry one connection, from its beginning to its end."""
        try:
            with client, self.noted(client):
                try:
                    inner = self.connect(port)
                except OSError as error:  # ECONNREFUSED: nothing serves there, or not yet
                    debug(__name__, "no connection to port %d of the replay: %s", port, error)
                    return
                with inner, self.noted(inner):
                    back = threading.Thread(target=pump, args=(inner, client), daemon=True)
                    with signals_blocked():
                        back.start()
                    pump(client, inner)
                    back.join()
        finally:
            self.room.release()

    @contextlib.contextmanager
    def noted(self, one: socket.socket) -> Iterator[None]:
        """Have a socket shut when all is over; at once where it is already."""
        with self.lock:
            self.open.add(one)
            if self.is_over:
                shut(one, socket.SHUT_RDWR)
        try:
            yield
        finally:
            with self.lock:
                self.open.discard(one)


@contextlib.contextmanager
def relaying(listeners: Sequence[Listener], connect: Connect) -> Iterator[None]:
    """Carry connections while the block lasts."""
    relay = Relay(listeners, connect)
    relay.start()
    try:
        yield
    finally:
        relay.stop()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Carry one direction to its end, and hand that on: a peer that has sent all may still be answered."""
    try:
        while part := source.recv(PART):
            target.sendall(part)
    except OSError:  # ECONNRESET, EPIPE: one of the two is gone, and then so is the other
        shut(source, socket.SHUT_RDWR)
        shut(target, socket.SHUT_RDWR)
        return
    shut(target, socket.SHUT_WR)


def shut(one: socket.socket, how: int) -> None:
    """Shut a socket; one that is not connected any more is shut already."""
    with contextlib.suppress(OSError):
        one.shutdown(how)


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Block all signals while the block lasts, where there are any: a thread that it starts gets none."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
