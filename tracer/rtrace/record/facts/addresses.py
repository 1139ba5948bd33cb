"""The addresses of this machine's interfaces, from the kernel's own tables."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re

_LOCAL = re.compile(rb"\|-- ([0-9.]+)\n\s+/32 host LOCAL")
_TABLE_LIMIT = 1 << 20
_LINK_LOCAL = 0x20  # the scope of if_inet6: what is good on one wire alone tells nothing


def read_addresses(net: str = "/proc/net") -> list[str]:
    """Return the addresses of the network's interfaces, those of version 4 first; loopback and link-local left out."""
    found: dict[str, None] = {}
    for match in _LOCAL.finditer(_read(net, "fib_trie")):
        found.setdefault(match[1].decode("ascii"))
    for line in _read(net, "if_inet6").splitlines():
        fields = line.split()
        with contextlib.suppress(ValueError, IndexError):
            if int(fields[3], 16) != _LINK_LOCAL:
                found.setdefault(str(ipaddress.IPv6Address(int(fields[0], 16))))
    return [address for address in found if not ipaddress.ip_address(address).is_loopback]


def _read(net: str, name: str) -> bytes:
    try:
        with open(os.path.join(net, name), "rb") as file:
            return file.read(_TABLE_LIMIT)
    except OSError:
        return b""
