"""Sockets of a replay's network, handed to the caller: a socket stays in the network that it was made in.

    caller == channel == socket maker (in the replay's user and network namespaces, and in no other of its)

The one that makes them sees nothing of the replay, nor the replay of it: it is in another PID namespace. It ends with
the keeper, and when the caller closes the channel.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from dataclasses import dataclass, field

from rtrace_unpackers.isolation.kernel.privileges import die_with_parent

FAMILIES = {b"4": socket.AF_INET, b"6": socket.AF_INET6}
PLACES = ((b"4", "127.0.0.1"), (b"6", "::1"))
"""Where a server that is to be reached may listen."""
TIME_TO_CONNECT = 10.0


def make_sockets(channel: socket.socket, keeper: int) -> int:
    """Hand out a socket for each message, until the channel is closed; return the status to exit with."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != keeper:
        return 1
    while True:
        message = channel.recv(1)
        if not message:
            return 0
        try:
            with socket.socket(FAMILIES[message], socket.SOCK_STREAM) as made:
                socket.send_fds(channel, [b"s"], [made.fileno()])
        except (OSError, KeyError):  # EAFNOSUPPORT: a machine without IPv6
            channel.send(b"n")


@dataclass(frozen=True, slots=True)
class Connector:
    """Connects to servers of a replay, by sockets that are made there."""

    channel: socket.socket
    lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, port: int) -> socket.socket:
        """Return a connection to a port of the replay. Raises OSError where nothing serves there, or it is over."""
        failure = OSError()
        for family, address in PLACES:
            try:
                made = self.ask(family)
            except OSError as error:
                failure = error
                continue
            try:
                made.settimeout(TIME_TO_CONNECT)
                made.connect((address, port))
                made.settimeout(None)
            except OSError as error:
                made.close()
                failure = error
            else:
                return made
        raise failure

    def ask(self, family: bytes) -> socket.socket:
        """Return a new socket of the replay's network."""
        with self.lock:
            self.channel.send(family)
            _, descriptors, _, _ = socket.recv_fds(self.channel, 1, 1)
        if not descriptors:
            raise ConnectionRefusedError
        return socket.socket(fileno=descriptors[0])
