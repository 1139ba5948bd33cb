"""Calls that reach other processes and hosts: connect, bind."""

from __future__ import annotations

import struct
from dataclasses import replace

from rtrace.capture.calls import AT_FDCWD
from rtrace.capture.context import INT_MASK, Context, Request
from rtrace.capture.sockets import MAX_ADDRESS, parse_address
from rtrace.trace.schema import Use

SOCKETCALLS = {2: "bind", 3: "connect"}  # linux/net.h
CREATE, SOCKET = int(Use.CREATE), int(Use.SOCKET)


def connect(context: Context, request: Request) -> None:
    """Note connect(2)."""
    use_socket(context, request, "connect")


def bind(context: Context, request: Request) -> None:
    """Note bind(2)."""
    use_socket(context, request, "bind")


def decode_socketcall(context: Context, request: Request) -> None:
    """Note what is in socketcall(2), the one call that does all of them on older 32-bit interfaces."""
    name = SOCKETCALLS.get(request.arguments[0])
    if name is not None:
        packed = request.tracee.read(request.arguments[1], 3 * request.architecture.word)
        arguments = list(struct.unpack("<3I", packed))
        use_socket(context, replace(request, arguments=arguments), name)


def use_socket(context: Context, request: Request, call: str) -> None:
    """Note where a socket leads: a path, or a host."""
    tracee, arguments, ledger = request.tracee, request.arguments, context.ledger
    size = min(arguments[2] & INT_MASK, MAX_ADDRESS)
    address = parse_address(tracee.read(arguments[1], size))
    if address is None:
        return
    name = address.host
    if address.family == "unix":
        if not address.path:
            return
        name = address.path.decode(errors="backslashreplace").replace("\0", "@")
        if not address.path.startswith(b"\0"):
            base = context.base(tracee, AT_FDCWD, address.path)
            walk = context.walk(tracee, base, address.path, follow=True)
            if walk is None:
                return
            made = call == "bind" and walk.missing == walk.path
            context.use(tracee.process, walk, CREATE | SOCKET if made else SOCKET)
            if made:
                context.memory.appear(walk.path)
            if walk.missing is not None:
                return
            if not context.state(walk).existed:
                return  # a server of the run's own
    row = (ledger.run, tracee.process.id, ledger.now(), call, address.family, name, address.port)
    ledger.journal.pending["connections"].append(row)
    if call == "connect" and not address.is_local:
        port = "" if address.port is None else f" port {address.port}"
        context.notices.add_connection(context.program(tracee), name + port)
