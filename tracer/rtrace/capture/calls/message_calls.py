"""Calls that send a message: sendto, sendmsg, sendmmsg."""

from __future__ import annotations

from rtrace.capture.calls.context import INT_MASK, Context, Request
from rtrace.capture.calls.sockets import UNIX, name_unix, read_address, use_socket
from rtrace.capture.network import peers
from rtrace.capture.network.addresses import parse_address
from rtrace.capture.network.questions import MAX_QUESTION, NAME_SERVER, read_question
from rtrace.capture.network.talks import Talk
from rtrace.capture.processes.tracee import Tracee

MAX_MESSAGES = 1024  # UIO_MAXIOV of linux/uio.h


def send(context: Context, request: Request) -> None:
    """Note sendto(2); without an address it goes where connect(2) said."""
    arguments = request.arguments
    if arguments[4]:
        data = read_address(request.tracee, arguments[4], arguments[5])
        use_datagram(context, request, data, arguments[1], arguments[2])
    elif context.talks.is_name_server(request.tracee.process.id, arguments[0] & INT_MASK):
        note_question(context, request.tracee, arguments[1], arguments[2])


def send_message(context: Context, request: Request) -> None:
    """Note sendmsg(2)."""
    use_message(context, request, request.arguments[1])


def send_messages(context: Context, request: Request) -> None:
    """Note sendmmsg(2): an array of struct mmsghdr {struct msghdr; unsigned}."""
    size = 8 * request.architecture.word  # msghdr has seven words, the length with its padding is the eighth
    for index in range(min(request.arguments[2] & INT_MASK, MAX_MESSAGES)):
        use_message(context, request, request.arguments[1] + index * size)


def use_message(context: Context, request: Request, message: int) -> None:
    """Note the address in a struct msghdr {void *name; socklen_t namelen; struct iovec *iov; ...}, if it has one."""
    word, tracee = request.architecture.word, request.tracee
    header = tracee.read(message, 3 * word)
    name, size, vector = (
        int.from_bytes(header[begin:end], "little")
        for begin, end in ((0, word), (word, word + 4), (2 * word, 3 * word))
    )
    asks = not name and context.talks.is_name_server(tracee.process.id, request.arguments[0] & INT_MASK)
    if not asks and not (name and size):
        return
    content = tracee.read(vector, 2 * word)  # struct iovec {void *base; size_t length}
    start, length = int.from_bytes(content[:word], "little"), int.from_bytes(content[word:], "little")
    if asks:
        note_question(context, tracee, start, length)
    else:
        use_datagram(context, request, read_address(tracee, name, size), start, length)


def use_datagram(context: Context, request: Request, data: bytes, start: int, length: int) -> None:
    """Note a message to an address, once for each process, and whether it leads out of the run.

    ``start`` and ``length`` are the memory of what is sent. Nobody waits for the call's result: whether it
    can be sent is tried without sending anything.
    """
    tracee = request.tracee
    meeting = (tracee.process.id, "send", data)
    known = meeting in context.meetings
    address = parse_address(data)
    if address is not None and address.port == NAME_SERVER:
        if not known:
            talk = Talk(tracee.process.id, tracee.tid, context.program(tracee), address)
            context.talks.ask_server(request.arguments[0] & INT_MASK, talk)
        note_question(context, tracee, start, length)
    if known and data[:1] != UNIX:
        return
    found = use_socket(context, tracee, "send", data)
    if found is None or known:
        return
    context.meetings.add(meeting)
    address, path = found
    if address.family == "unix":
        if context.peers.is_held_unix(tracee, address, path) is False:
            context.notices.add_service(context.program(tracee), name_unix(address, path))
        return
    talk = Talk(tracee.process.id, tracee.tid, context.program(tracee), address)
    if address.port == NAME_SERVER or not address.port:
        return
    if peers.is_of_this_machine(address):
        if context.peers.is_own_port(tracee, address, datagram=True) is False:
            context.talks.establish(talk)
    elif not context.peers.is_own_group(address) and peers.is_reachable(address):
        context.talks.establish(talk)


def note_question(context: Context, tracee: Tracee, start: int, length: int) -> None:
    """Note the name of a host that a program asks a name server for."""
    name = read_question(tracee.read(start, min(length, MAX_QUESTION)))
    if name is not None:
        context.talks.ask(tracee.process.id, tracee.tid, name)
