"""Where the run's sockets lead: to another one of the run, to a server on this machine, or to another host.

A socket is known to be the run's by the name that a process bound it to, by the process that listens (SO_PEERCRED), and
by the kernel's lists of sockets (proc_pid_net(5)): they have the inodes that the descriptors of the holders name.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rtrace.capture.network.addresses import Address
from rtrace.capture.processes.tracee import Tracee
from rtrace.linux.descriptors import take_descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTENING = b"0A"  # the kernel's include/net/tcp_states.h
STATE, LOCAL, INODE = 3, 1, 9  # columns of /proc/net/tcp and its kin
UNIX_INODE, UNIX_PATH = 6, 7  # columns of /proc/net/unix
PEER_CREDENTIALS = 12  # bytes of struct ucred: pid, uid, gid
CLOSED, SYN_SENT = 7, 2


class Peers:
    """Knows the sockets of a run. ``tracees`` are its living threads."""

    def __init__(self, tracees: Mapping[int, Tracee]) -> None:
        """Begin with none bound."""
        self.tracees = tracees
        self.bound: set[tuple[str, bytes | int]] = set()

    def note_bound(self, tracee: Tracee, descriptor: int, address: Address) -> None:
        """Remember the name of a socket that the run has bound; the kernel chose it where none was given."""
        key = make_key(address)
        if key is None:
            with contextlib.suppress(OSError), take_socket(tracee, descriptor) as copy:
                name = copy.getsockname()
                if isinstance(name, bytes | str):
                    key = "unix", os.fsencode(name)
                elif name:
                    key = "port", int(name[1])
        if key is not None:
            self.bound.add(key)

    def is_held_unix(self, tracee: Tracee, address: Address, path: bytes) -> bool | None:
        """Whether the run holds the AF_UNIX socket of a name; None if no socket has that name.

        ``path`` is where its file is, if it has one.
        """
        names = {address.path.replace(b"\0", b"@"), path}
        if address.path.startswith(b"\0") and ("unix", address.path) in self.bound:
            return True
        inodes = set()
        for line in read_lines(tracee, "unix"):
            words = line.split(None, UNIX_PATH)
            if len(words) > UNIX_PATH and words[UNIX_PATH].rstrip(b"\n") in names:
                inodes.add(words[UNIX_INODE])
        return self.is_held(inodes) if inodes else None

    def is_own_port(self, tracee: Tracee, address: Address, *, datagram: bool) -> bool | None:
        """Whether the run holds the socket of a port of this machine; None if nobody does any more."""
        if ("port", address.port) in self.bound:
            return True
        inodes = set()
        for table in ("udp", "udp6") if datagram else ("tcp", "tcp6"):
            for line in read_lines(tracee, table):
                words = line.split()
                if int(words[LOCAL].rpartition(b":")[2], 16) == address.port and (
                    datagram or words[STATE] == LISTENING
                ):
                    inodes.add(words[INODE])
        return self.is_held(inodes) if inodes else None

    def is_own_group(self, address: Address) -> bool:
        """Whether an address is that of a multicast group to which the run itself listens."""
        return address.is_group and ("port", address.port) in self.bound

    def is_held(self, inodes: Iterable[bytes]) -> bool:
        """Whether a process of the run has one of these sockets open."""
        links = {b"socket:[%s]" % inode for inode in inodes}
        for tgid in {tracee.process.tgid for tracee in self.tracees.values()}:
            with contextlib.suppress(OSError), os.scandir(f"/proc/{tgid}/fd".encode()) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):  # it was closed meanwhile
                        if os.readlink(entry.path) in links:
                            return True
        return False


def make_key(address: Address) -> tuple[str, bytes | int] | None:
    """Return the key of a bound address; None for an address that the kernel completes."""
    if address.family == "unix":
        return ("unix", address.path) if address.path else None
    return ("port", address.port) if address.port else None


def take_socket(tracee: Tracee, descriptor: int) -> socket.socket:
    """Copy a socket of a process. Close the copy at once: the peer sees the end only when the last copy is closed.

    Raises OSError.
    """
    return socket.socket(fileno=take_descriptor(tracee.process.tgid, descriptor))


def read_server(tracee: Tracee, descriptor: int) -> int:
    """Return the id of the process that listens where a connected AF_UNIX socket leads; 0 if no process does."""
    with contextlib.suppress(OSError), take_socket(tracee, descriptor) as copy:
        credentials = copy.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER_CREDENTIALS)
        return max(int.from_bytes(credentials[:4], "little", signed=True), 0)
    return 0


def is_datagram(tracee: Tracee, descriptor: int) -> bool:
    """Whether a socket of a process sends datagrams."""
    with contextlib.suppress(OSError), take_socket(tracee, descriptor) as copy:
        return copy.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_DGRAM
    return False


def read_progress(tracee: Tracee, descriptor: int) -> bool | None:
    """Whether a socket is connected; None while the connection is being made. The program can still read its error."""
    try:
        with take_socket(tracee, descriptor) as copy:
            state = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:
        return False
    return None if state == SYN_SENT else state != CLOSED


def is_of_this_machine(address: Address) -> bool:
    """Whether a host is this machine itself: its loopback interface, or one of its own addresses."""
    if address.is_local or address.is_group:
        return address.is_local
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address.host, 0))
    except OSError:
        return False
    return True


def is_reachable(address: Address) -> bool:
    """Whether a datagram to a host would be sent, because there is a route. Nothing is sent to find out."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address.host, address.port or 9))
    except OSError:
        return False
    return True


def read_lines(tracee: Tracee, table: str) -> list[bytes]:
    """Read a table of sockets, as a process sees it, without its heading."""
    try:
        with open(f"/proc/{tracee.tid}/net/{table}", "rb") as file:
            return file.readlines()[1:]
    except OSError:
        return []
