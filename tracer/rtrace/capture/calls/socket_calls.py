"""Calls that reach other processes and hosts: connect, bind, sendto, sendmsg, mq_open.

A connection is told when it was made: by connect(2) itself or, if the program did not wait for it, when the program
asks what became of it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from errno import EINPROGRESS, EISCONN
from functools import partial

from rtrace.capture.calls.context import INT_MASK, Context, Request
from rtrace.capture.calls.message_calls import send, send_message, send_messages
from rtrace.capture.calls.sockets import UNIX, name_unix, read_address, use_socket
from rtrace.capture.kernel.call_table import SO_ERROR, Action
from rtrace.capture.network import peers
from rtrace.capture.network.addresses import Address, parse_address
from rtrace.capture.network.questions import NAME_SERVER
from rtrace.capture.network.talks import Talk
from rtrace.capture.processes.tracee import Tracee
from rtrace.trace.schema import Use

CREATE, LOOKUP, READ, REMOVE = int(Use.CREATE), int(Use.LOOKUP), int(Use.READ), int(Use.REMOVE)
WRITE = int(Use.WRITE)
QUEUES = b"/dev/mqueue/"  # mq_overview(7)
SOL_SOCKET = 1  # asm-generic/socket.h


def connect(context: Context, request: Request) -> None:
    """Note connect(2), and what comes of it."""
    descriptor, pointer, size = request.arguments[0] & INT_MASK, *request.arguments[1:3]
    tracee = request.tracee
    data = read_address(tracee, pointer, size)
    if (tracee.process.id, "connect", data) in context.meetings and data[:1] != UNIX:
        return
    found = use_socket(context, tracee, "connect", data)
    if found is not None:
        tracee.awaited = partial(finish_connecting, context, tracee, descriptor, found, data)


def finish_connecting(
    context: Context, tracee: Tracee, descriptor: int, found: tuple[Address, bytes], data: bytes, result: int
) -> None:
    """Tell whom a socket was connected to, unless that failed; remember a connection that is under way."""
    address, path = found
    if address.family == "unix":
        if result == 0:
            finish_connecting_here(context, tracee, descriptor, address, path)
        return
    talk = Talk(tracee.process.id, tracee.tid, context.program(tracee), address)
    if peers.is_datagram(tracee, descriptor):
        if result == 0:
            note_datagrams(context, tracee, descriptor, talk)
        return
    if result == -EINPROGRESS:
        progress = peers.read_progress(tracee, descriptor)
        if progress is None:
            context.talks.begin(descriptor, talk)
        if not progress:
            return
    elif result not in (0, -EISCONN):
        context.talks.refuse(talk)
        return
    context.meetings.add((tracee.process.id, "connect", data))
    note_connection(context, tracee, talk)


def finish_connecting_here(context: Context, tracee: Tracee, descriptor: int, address: Address, path: bytes) -> None:
    """Tell of a server on this machine that a process is connected to; once for each server and process."""
    name, server = name_unix(address, path), peers.read_server(tracee, descriptor)
    meeting = (tracee.process.id, "server", name, server)
    if server in context.pids or meeting in context.noted:
        return
    context.noted.add(meeting)
    if context.peers.is_held_unix(tracee, address, path) is not True:
        context.notices.add_service(context.program(tracee), name)


def note_connection(context: Context, tracee: Tracee, talk: Talk) -> None:
    """Tell of a connection that was made, unless it leads to the run itself."""
    if peers.is_of_this_machine(talk.address) and context.peers.is_own_port(tracee, talk.address, datagram=False):
        context.talks.refuse(talk)
        return
    context.talks.establish(talk)


def note_datagrams(context: Context, tracee: Tracee, descriptor: int, talk: Talk) -> None:
    """Note where a socket for datagrams leads; it is not known yet whether one will be sent."""
    if not talk.address.port:
        return
    if talk.address.port == NAME_SERVER:
        context.talks.ask_server(descriptor, talk)
    elif not peers.is_of_this_machine(talk.address):
        if not context.peers.is_own_group(talk.address):
            context.talks.aim(talk)
    elif context.peers.is_own_port(tracee, talk.address, datagram=True) is False:
        context.talks.establish(talk)


def ask_error(context: Context, request: Request) -> None:
    """Note getsockopt(2) for SO_ERROR: a program asks so what became of a connection that it did not wait for."""
    if request.arguments[1] & INT_MASK != SOL_SOCKET or request.arguments[2] & INT_MASK != SO_ERROR:
        return
    tracee, descriptor = request.tracee, request.arguments[0] & INT_MASK
    talk = context.talks.find(tracee.process.id, descriptor)
    if talk is None:
        return
    progress = peers.read_progress(tracee, descriptor)
    if progress is None:
        return
    context.talks.end(tracee.process.id, descriptor)
    if progress:
        note_connection(context, tracee, talk._replace(tid=tracee.tid))
    else:
        context.talks.refuse(talk)


def bind(context: Context, request: Request) -> None:
    """Note bind(2): what the run listens to is its own."""
    descriptor, pointer, size = request.arguments[0] & INT_MASK, *request.arguments[1:3]
    tracee = request.tracee
    data = read_address(tracee, pointer, size)
    use_socket(context, tracee, "bind", data)
    address = parse_address(data)
    if address is not None:
        tracee.awaited = partial(finish_binding, context, tracee, descriptor, address)


def finish_binding(context: Context, tracee: Tracee, descriptor: int, address: Address, result: int) -> None:
    """Remember the name that a socket has got."""
    if result == 0:
        context.peers.note_bound(tracee, descriptor, address)


def decode_socketcall(context: Context, request: Request) -> None:
    """Note what is in socketcall(2), the one call that does all of them on older 32-bit interfaces; linux/net.h."""
    calls = {2: bind, 3: connect, 11: send, 16: send_message, 20: send_messages}
    decode = calls.get(request.arguments[0])
    if decode is not None:
        packed = request.tracee.read(request.arguments[1], 6 * request.architecture.word)
        words = len(packed) // 4
        arguments = [*struct.unpack(f"<{words}I", packed[: 4 * words]), *[0] * (6 - words)]
        decode(context, request._replace(arguments=arguments))


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
        tracee.awaited = partial(finish_queue, context, tracee, os.fsdecode(path[len(QUEUES) - 1 :]))


def finish_queue(context: Context, tracee: Tracee, name: str, result: int) -> None:
    """Tell of a message queue that was there before the run, unless the call failed."""
    if result >= 0:
        context.notices.add_queue(context.program(tracee), name)


DECODERS: dict[Action, Callable[[Context, Request], None]] = {
    Action.CONNECT: connect,
    Action.BIND: bind,
    Action.SEND: send,
    Action.SEND_MESSAGE: send_message,
    Action.SEND_MESSAGES: send_messages,
    Action.SOCKETCALL: decode_socketcall,
    Action.QUEUE: use_queue,
    Action.ASK_ERROR: ask_error,
}
