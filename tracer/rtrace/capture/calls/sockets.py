"""What calls on sockets have in common: they read an address, and note where it leads."""

from __future__ import annotations

from rtrace.capture.calls.context import INT_MASK, Context
from rtrace.capture.kernel.call_table import AT_FDCWD
from rtrace.capture.network.addresses import MAX_ADDRESS, Address, parse_address
from rtrace.capture.processes.tracee import Tracee
from rtrace.trace.schema import Use

CREATE, SOCKET = int(Use.CREATE), int(Use.SOCKET)
UNIX = b"\1"  # AF_UNIX, the first byte of its sockaddr: behind the same name there may be another socket now


def read_address(tracee: Tracee, pointer: int, size: int) -> bytes:
    """Read a struct sockaddr. Raises OSError."""
    return tracee.read(pointer, min(size & INT_MASK, MAX_ADDRESS))


def use_socket(context: Context, tracee: Tracee, call: str, data: bytes) -> tuple[Address, bytes] | None:
    """Note where a socket will lead; return its address, and the path of its file if it is an AF_UNIX one.

    None if it leads nowhere that could be told, or if the file does not exist.
    """
    ledger = context.ledger
    address = parse_address(data)
    if address is None:
        return None
    name, path = address.host, b""
    if address.family == "unix":
        if not address.path:
            return None
        name = address.path.decode(errors="backslashreplace").replace("\0", "@")
        if not address.path.startswith(b"\0"):
            base = context.base(tracee, AT_FDCWD, address.path)
            walk = context.walk(tracee, base, address.path, follow=True)
            if walk is None:
                return None
            made = call == "bind" and walk.missing == walk.path
            context.use(tracee.process, walk, CREATE | SOCKET if made else SOCKET)
            if made:
                context.memory.appear(walk.path)
            if walk.missing is not None:
                return None
            path = walk.path
            name = path.decode(errors="backslashreplace")
    meeting = (tracee.process.id, call, name, address.port)
    if meeting not in context.noted:
        context.noted.add(meeting)
        row = (ledger.run, tracee.process.id, ledger.now(), call, address.family, name, address.port)
        ledger.journal.pending["connections"].append(row)
    return address, path


def name_unix(address: Address, path: bytes) -> str:
    """Return an AF_UNIX address as it is shown: the path of its file, or its abstract name after ``@``."""
    return (path or address.path).decode(errors="backslashreplace").replace("\0", "@")
