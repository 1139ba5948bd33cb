"""Connections to servers in a container, many through the streams of one process there: the caller's side of forward.c.

    relay == socket pair == threads of this module == frames == forward.c, in the container == a server of the replay

A frame is a connection's number, a kind, the length of what follows, and that. DATA is sent once the last of its
connection was TAKEN, so that nothing waits here but for the peer that it is meant for. What comes from the container is
not trusted: a frame that should not come ends all connections.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from rtrace.debugging import debug
from rtrace_unpackers.granted.relaying import MOST_CONNECTIONS, shut, signals_blocked
from rtrace_unpackers.isolation.streams.pumps import write_all

HEAD = struct.Struct("<BBH")
PART = 16384
"""The most that follows one head; forward.c has as much room for each connection."""
TIME_TO_END = 10.0
"""Seconds that a connection which has ended may take to be gone in the container, when its number is wanted."""
MOST_WAITING = 3
"""Frames of one connection that may wait here: DATA, END and GONE."""


class Kind(IntEnum):
    """What a frame is about."""

    OPEN = 1
    DATA = 2
    END = 3
    TAKEN = 4
    GONE = 5
    READY = 6


@dataclass(slots=True)
class Connection:
    """One connection: its number, our end of the pair, and what is to be written there (None: the end of it)."""

    number: int
    end: socket.socket
    incoming: queue.SimpleQueue[bytes | None] = field(default_factory=queue.SimpleQueue)
    may_send: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))
    is_gone: bool = False


class Multiplexer:
    """Opens connections by a process that has forward.c for its program: descriptors lead into it and out of it."""

    def __init__(self, into: int, out_of: int) -> None:
        self.into = into
        self.out_of = out_of
        self.writing = threading.Lock()
        """Held while a frame is written, which the other side may be slow to read: never by who reads its frames."""
        self.lock = threading.Condition()
        """Of the connections; held for a moment, and told when one is gone."""
        self.connections: dict[int, Connection] = {}
        self.is_over = False

    def start(self) -> bool:
        """Wait until the process is ready, and read what it sends from then on; return whether it is."""
        try:
            is_ready = self.read_frame()[1] is Kind.READY
        except (OSError, ValueError):
            return False
        self.begin(self.read)
        return is_ready

    def begin(self, work: Callable[..., None], *arguments: object) -> None:
        """Start a thread; signals are for the main one."""
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        with signals_blocked():
            thread.start()

    def connect(self, port: int) -> socket.socket:
        """Return a socket that leads to a port of the container. One that nobody serves ends at once."""
        ours, theirs = socket.socketpair()
        with self.lock:
            self.lock.wait_for(lambda: self.is_over or len(self.connections) < MOST_CONNECTIONS, TIME_TO_END)
            free = next((number for number in range(MOST_CONNECTIONS) if number not in self.connections), None)
            if free is None or self.is_over:
                ours.close()
                theirs.close()
                raise ConnectionRefusedError
            connection = self.connections[free] = Connection(free, ours)
        with self.writing:
            self.write(Kind.OPEN, free, struct.pack("<H", port))
        self.begin(self.send, connection)
        self.begin(self.deliver, connection)
        return theirs

    def write(self, kind: Kind, number: int, content: bytes = b"") -> None:
        """Write a frame; `writing` is held. A process that has ended is noticed by who reads."""
        with contextlib.suppress(OSError):  # EPIPE
            write_all(self.into, HEAD.pack(number, kind, len(content)) + content)

    def tell(self, connection: Connection, kind: Kind, content: bytes = b"") -> None:
        """Write a frame of a connection, unless it is gone: its number may be another's by now.

        It is gone before its number is free, and the next one of that number is opened under the same lock.
        """
        with self.writing:
            if not connection.is_gone:
                self.write(kind, connection.number, content)

    def send(self, connection: Connection) -> None:
        """Send what the relay writes, a part after the other was taken, until its end."""
        try:
            while True:
                connection.may_send.acquire()
                part = connection.end.recv(PART)
                self.tell(connection, Kind.DATA if part else Kind.END, part)
                if not part:
                    return
        except OSError:  # ECONNRESET: the relay is gone
            self.tell(connection, Kind.GONE)

    def deliver(self, connection: Connection) -> None:
        """Write what comes for the relay, and say that it was taken; after the end, close our end once all is said."""
        try:
            while (part := connection.incoming.get()) is not None:
                if not part:
                    shut(connection.end, socket.SHUT_WR)
                    continue
                connection.end.sendall(part)
                self.tell(connection, Kind.TAKEN)
        except OSError:  # EPIPE: the relay is gone
            self.tell(connection, Kind.GONE)
            while connection.incoming.get() is not None:
                pass
        shut(connection.end, socket.SHUT_RDWR)
        connection.may_send.release()
        connection.end.close()

    def read(self) -> None:
        """Take frames until the process ends, or sends what it should not."""
        try:
            while True:
                number, kind, content = self.read_frame()
                self.take(number, kind, content)
        except (OSError, ValueError) as error:
            debug(__name__, "no more connections into the container: %r", error)
        with self.lock:
            self.is_over = True
            left = list(self.connections.values())
            self.connections.clear()
            self.lock.notify_all()
        for connection in left:
            connection.is_gone = True
            shut(connection.end, socket.SHUT_RDWR)
            connection.incoming.put(None)

    def take(self, number: int, kind: Kind, content: bytes) -> None:
        """Take one frame. Raises ValueError for one that should not come."""
        with self.lock:
            connection = self.connections.get(number)
            if connection is None or connection.incoming.qsize() >= MOST_WAITING:
                raise ValueError(f"nothing is expected of a connection {number}")
            if kind is Kind.GONE:
                connection.is_gone = True
                del self.connections[number]
                self.lock.notify()
        match kind:
            case Kind.DATA if content:
                connection.incoming.put(content)
            case Kind.END:
                connection.incoming.put(b"")
            case Kind.GONE:
                connection.incoming.put(None)
            case Kind.TAKEN:
                connection.may_send.release()
            case _:
                raise ValueError(f"{kind} is not for the caller")

    def read_frame(self) -> tuple[int, Kind, bytes]:
        """Return the next frame. Raises OSError at the end, ValueError for what is no frame."""
        number, kind, length = HEAD.unpack(self.read_exactly(HEAD.size))
        if length > PART:
            raise ValueError(f"{length} bytes are too many")
        return number, Kind(kind), self.read_exactly(length)

    def read_exactly(self, size: int) -> bytes:
        """Return so many bytes. Raises ConnectionError at the end."""
        content = b""
        while len(content) < size:
            part = os.read(self.out_of, size - len(content))
            if not part:
                raise ConnectionResetError
            content += part
        return content
