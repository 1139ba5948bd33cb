"""Calls that reach other processes and hosts: connect, bind, sendto, sendmsg, mq_open."""

from __future__ import annotations

import os
import struct

from rtrace.capture.calls import AT_FDCWD
from rtrace.capture.context import INT_MASK, Context, Request
from rtrace.capture.sockets import MAX_ADDRESS, parse_address
from rtrace.trace.schema import Use

CREATE, LOOKUP, READ, REMOVE = int(Use.CREATE), int(Use.LOOKUP), int(Use.READ), int(Use.REMOVE)
SOCKET, WRITE = int(Use.SOCKET), int(Use.WRITE)
MAX_MESSAGES = 1024  # UIO_MAXIOV of linux/uio.h
UNIX = b"\1"  # AF_UNIX, the first byte of its sockaddr: behind the same name there may be another socket now
QUEUES = b"/dev/mqueue/"  # mq_overview(7)


def connect(context: Context, request: Request) -> None:
    """Note connect(2)."""
    use_socket(context, request, "connect", request.arguments[1], request.arguments[2])


def bind(context: Context, request: Request) -> None:
    """Note bind(2)."""
    use_socket(context, request, "bind", request.arguments[1], request.arguments[2])


def send(context: Context, request: Request) -> None:
    """Note sendto(2); without an address it goes where connect(2) said."""
    if request.arguments[4]:
        use_socket(context, request, "send", request.arguments[4], request.arguments[5])


def send_message(context: Context, request: Request) -> None:
    """Note sendmsg(2)."""
    use_message(context, request, request.arguments[1])


def send_messages(context: Context, request: Request) -> None:
    """Note sendmmsg(2): an array of struct mmsghdr {struct msghdr; unsigned}."""
    size = 8 * request.architecture.word  # msghdr has seven words, the length with its padding is the eighth
    for index in range(min(request.arguments[2] & INT_MASK, MAX_MESSAGES)):
        use_message(context, request, request.arguments[1] + index * size)


def use_message(context: Context, request: Request, message: int) -> None:
    """Note the address in a struct msghdr {void *name; socklen_t namelen; ...}, if it has one."""
    word = request.architecture.word
    header = request.tracee.read(message, word + 4)
    name, size = int.from_bytes(header[:word], "little"), int.from_bytes(header[word:], "little")
    if name and size:
        use_socket(context, request, "send", name, size)


def decode_socketcall(context: Context, request: Request) -> None:
    """Note what is in socketcall(2), the one call that does all of them on older 32-bit interfaces; linux/net.h."""
    calls = {2: bind, 3: connect, 11: send, 16: send_message, 20: send_messages}
    decode = calls.get(request.arguments[0])
    if decode is not None:
        packed = request.tracee.read(request.arguments[1], 6 * request.architecture.word)
        words = len(packed) // 4
        arguments = [*struct.unpack(f"<{words}I", packed[: 4 * words]), *[0] * (6 - words)]
        decode(context, request._replace(arguments=arguments))


def use_socket(context: Context, request: Request, call: str, address_pointer: int, size: int) -> None:
    """Note where a socket leads: a path, or a host. The same once for each process."""
    tracee, ledger = request.tracee, context.ledger
    data = tracee.read(address_pointer, min(size & INT_MASK, MAX_ADDRESS))
    meeting = (tracee.process.id, call, data)
    if meeting in context.meetings and data[:1] != UNIX:
        return
    address = parse_address(data)
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
            name = walk.path.decode(errors="backslashreplace")
    if meeting in context.meetings:
        return
    context.meetings.add(meeting)
    row = (ledger.run, tracee.process.id, ledger.now(), call, address.family, name, address.port)
    ledger.journal.pending["connections"].append(row)
    if call == "bind" or address.is_local:
        return
    program = context.program(tracee)
    if address.family == "unix":
        context.notices.add_service(program, name)
    else:
        context.notices.add_connection(program, name if address.port is None else f"{name} port {address.port}")


def use_queue(context: Context, request: Request) -> None:
    """Note mq_open(2) and mq_unlink(2), whose names are files of /dev/mqueue where that is mounted."""
    tracee, arguments = request.tracee, request.arguments
    path = QUEUES + tracee.read_string(arguments[0])
    walk = context.walk(tracee, b"", path, follow=False)
    if walk is None:
        return
    name = request.architecture.names[request.number]
    state = context.state(walk)
    if walk.missing is not None and walk.missing != walk.path:
        context.use(tracee.process, walk, LOOKUP)  # nothing is mounted at /dev/mqueue
        return
    if name == "mq_unlink":
        context.use(tracee.process, walk, REMOVE if walk.missing is None else LOOKUP)
    elif walk.missing is not None:
        context.use(tracee.process, walk, CREATE if arguments[1] & os.O_CREAT else LOOKUP)
    else:
        access = arguments[1] & os.O_ACCMODE
        context.use(tracee.process, walk, {os.O_RDONLY: READ, os.O_WRONLY: WRITE}.get(access, READ | WRITE))
    if state.existed:
        context.notices.add_queue(context.program(tracee), os.fsdecode(path[len(QUEUES) - 1 :]))
