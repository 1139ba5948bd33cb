"""The addresses of this machine's interfaces, from the kernel's own tables."""

from __future__ import annotations

import contextlib
import os
import re

_LEAF, _LOCAL = b"|-- ", b"/32 host LOCAL"
_TABLE_LIMIT = 1 << 20
_NEARBY = (0x10, 0x20)  # scopes of if_inet6: loopback, and what is good on one wire alone


def read_addresses(net: str = "/proc/net") -> list[str]:
    """Return the addresses of the network's interfaces, those of version 4 first; loopback and link-local left out."""
    found: dict[str, None] = {}
    leaf = b""
    for line in map(bytes.strip, _read(net, "fib_trie").splitlines()):
        if line.startswith(_LOCAL) and leaf:
            found.setdefault(leaf.decode("ascii", "replace"))
        leaf = line[len(_LEAF) :] if line.startswith(_LEAF) else b""
    for line in _read(net, "if_inet6").splitlines():
        fields = line.split()
        with contextlib.suppress(ValueError, IndexError):
            if int(fields[3], 16) not in _NEARBY:
                found.setdefault(write_address(bytes.fromhex(fields[0].decode("ascii"))))
    return [address for address in found if not address.startswith("127.")]


def write_address(address: bytes) -> str:
    """Return an address of version 6 as RFC 5952 writes it; importing `ipaddress` takes longer than all else here."""
    groups = [address[place : place + 2].hex().lstrip("0") or "0" for place in range(0, len(address), 2)]
    text = ":".join(groups)
    if "0:0" not in text:
        return text
    zeros = max(re.findall(r"(?:^|(?<=:))0(?::0)+(?=:|$)", text), key=len, default="")
    if not zeros:
        return text
    before, _, after = text.partition(zeros) if text.startswith(zeros) else text.partition(f":{zeros}")
    return f"{before.rstrip(':')}::{after.lstrip(':')}"


def _read(net: str, name: str) -> bytes:
    try:
        with open(os.path.join(net, name), "rb") as file:
            return file.read(_TABLE_LIMIT)
    except OSError:
        return b""
