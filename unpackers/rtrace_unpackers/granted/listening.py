"""Ports of the caller's machine that lead into a replay: bound before it starts, gone when it has ended."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rtrace.errors import TargetError
from rtrace.replay.grants import Port

WAITING = 128
"""How many connections may wait to be accepted."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, and the port of the replay that it leads to."""

    socket: socket.socket
    port: int


@contextlib.contextmanager
def listening(ports: Sequence[Port]) -> Iterator[tuple[Listener, ...]]:
    """Yield sockets that listen at ports of this machine. Raises TargetError for one that is not to be had."""
    with contextlib.ExitStack() as stack:
        yield tuple(Listener(stack.enter_context(listen(port)), port.target) for port in ports)


def listen(port: Port) -> socket.socket:
    """Return a socket that listens at one port."""
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would take a port that another program has
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((port.address, port.host))
        listener.listen(WAITING)
        listener.setblocking(False)  # noqa: FBT003 -- it takes no keyword; a client may be gone before it is accepted
    except OSError as error:
        listener.close()
        raise explain(port, error) from None
    return listener


def explain(port: Port, error: OSError) -> TargetError:
    """Return why a port is not to be had, and what to do."""
    place = f"port {port.host} of {port.address}"
    if error.errno == errno.EADDRINUSE:
        return TargetError(f"{place} is in use by another program; name another one before the colon of --port")
    if error.errno == errno.EACCES:
        return TargetError(f"{place} is for root alone; name one from 1024 on before the colon of --port")
    return TargetError(f"cannot listen at {place}: {error.strerror or error}")
