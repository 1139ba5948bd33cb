"""Socket addresses as the kernel lays them out: unix(7), ip(7), ipv6(7)."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

SOCKADDR_IN, SOCKADDR_IN6 = 8, 24  # bytes up to the end of the host
GROUPS = frozenset(map(str, range(224, 240)))
MAX_ADDRESS = 128  # sizeof(struct sockaddr_storage)


class Address(NamedTuple):
    """Where a socket leads: a ``path`` (AF_UNIX; abstract names begin with NUL), or a host and port."""

    family: str
    path: bytes = b""
    host: str = ""
    port: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it leads to this machine's loopback interface, or nowhere."""
        return self.host.startswith("127.") or self.host in ("::1", "0.0.0.0", "::")  # noqa: S104 - read, not bound

    @property
    def is_group(self) -> bool:
        """Whether it leads to all members of a group: 224.0.0.0/4 and ff00::/8 are multicast addresses."""
        if ":" in self.host:
            return self.host.startswith("ff")
        return self.host.partition(".")[0] in GROUPS


def parse_address(data: bytes) -> Address | None:
    """Decode a struct sockaddr; None for a family that names neither a path nor a host."""
    try:
        (family,) = struct.unpack_from("=H", data)
    except struct.error:
        return None
    if family == socket.AF_UNIX:
        name = data[2:]
        return Address("unix", path=name if name.startswith(b"\0") else name.split(b"\0")[0])
    if family == socket.AF_INET and len(data) >= SOCKADDR_IN:
        return Address("inet", host=socket.inet_ntop(socket.AF_INET, data[4:8]), port=int.from_bytes(data[2:4], "big"))
    if family == socket.AF_INET6 and len(data) >= SOCKADDR_IN6:
        host = socket.inet_ntop(socket.AF_INET6, data[8:24])
        return Address("inet6", host=host.removeprefix("::ffff:"), port=int.from_bytes(data[2:4], "big"))
    return None
