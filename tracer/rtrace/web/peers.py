"""Whose program is at the other end of a connection on this machine, as the kernel tells it."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TABLES = {socket.AF_INET: "/proc/net/tcp", socket.AF_INET6: "/proc/net/tcp6"}
_ROOT = 0


def is_own_connection(environ: Mapping[str, object]) -> bool:
    """Whether the connection of a request is of a process of this user, or of root; where no kernel tells, it is."""
    try:
        address, port = str(environ["REMOTE_ADDR"]), int(str(environ["REMOTE_PORT"]))
        user = find_user(address, port, int(str(environ["SERVER_PORT"])))
        return user is None or user in {os.getuid(), _ROOT}
    except (KeyError, ValueError):
        return False


def find_user(address: str, port: int, server_port: int) -> int | None:
    """Return the user whose socket has an address and a port and is connected to a port; None if nobody tells."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    local = f"{_encode(family, address)}:{port:04X}"
    for line in _read_lines(_TABLES[family]):
        fields = line.split()
        # sl, local address, remote address, state, queues, timer, retransmissions, uid
        if len(fields) > 7 and fields[1] == local and fields[2].endswith(f":{server_port:04X}"):  # noqa: PLR2004
            return int(fields[7])
    return None


def _read_lines(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="ascii") as file:
            yield from file
    except OSError:  # no /proc, or no IPv6
        return


def _encode(family: int, address: str) -> str:
    """Return an address as the kernel writes it: words of 32 bits, each as a number of this machine."""
    packed = socket.inet_pton(family, address)
    words = [packed[start : start + 4] for start in range(0, len(packed), 4)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
