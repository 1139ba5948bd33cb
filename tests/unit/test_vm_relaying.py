"""A machine is told that it may end when all that it has sent has come, and not before."""

import os
import select
import socket
import threading

from rtrace_unpackers.vm.relaying import Answering, Relay, write_all

SENT = b"x" * 300_000


def test_an_answer_waits_until_all_has_come() -> None:
    """However little of it the reader takes at a time; what else is told, whole or in parts, is answered by nothing."""
    source, sink = os.pipe()
    nothing = os.open(os.devnull, os.O_WRONLY)
    output, error = Relay(sink), Relay(nothing)
    answered, descriptor = socket.socketpair()
    answering = Answering((output, error), descriptor.fileno())
    for relay in (output, error):
        relay.start()
    writer = threading.Thread(target=lambda: write_all(output.end, SENT))
    writer.start()
    answering.take(b"alive\nsent\nsent 1\nsent 1 2 3\nst")
    assert not select.select([answered], [], [], 0)[0]
    guest = threading.Thread(target=lambda: answering.take(b"atus 0\nsent %d 0\n" % len(SENT)))
    guest.start()
    taken = 0
    while taken < len(SENT):
        if taken < len(SENT) - (1 << 17):  # more than two pipes hold
            assert not select.select([answered], [], [], 0)[0]
        taken += len(os.read(source, 1 << 12))
    guest.join()
    assert answered.recv(10) == b"\n"
    writer.join()
    for relay in (output, error):
        os.close(relay.end)
        relay.join()
    for end in (source, sink, nothing):
        os.close(end)
    answered.close()
    descriptor.close()


def test_who_stops_reading_keeps_no_machine_from_ending() -> None:
    """What nobody takes counts as having come, and so does all when the machine is gone."""
    source, sink = os.pipe()
    os.close(source)
    output, error = Relay(sink), Relay(sink)
    os.close(sink)
    answered, descriptor = socket.socketpair()
    answering = Answering((output, error), descriptor.fileno())
    for relay in (output, error):
        relay.start()
    os.write(output.end, b"lost")
    os.close(output.end)
    os.close(error.end)
    answering.take(b"sent 4 999999999999\n")
    assert answered.recv(10) == b"\n"
    answered.close()
    answering.take(b"sent 4 0\n")  # nobody hears the answer
    descriptor.close()
