"""Clients of ports that lead into a replay, and whether anything listens at one."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import closing

from waiting import wait_until

ECHO = b"busybox nc -ll -p %d -e /bin/cat"
"""A server for a shell of busybox: what a client sends comes back. No more than two may come at the same moment."""


def find_free_port(address: str = "127.0.0.1") -> int:
    """Return a port at which nothing listens."""
    with closing(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)) as free:
        free.bind((address, 0))
        port: int = free.getsockname()[1]
        return port


def is_answered(port: int, address: str = "127.0.0.1") -> bool:
    """Whether something accepts connections."""
    try:
        socket.create_connection((address, port), timeout=30).close()
    except OSError:
        return False
    return True


def ask(port: int, question: bytes, address: str = "127.0.0.1") -> bytes:
    """Send all of a question, say that this is all, and return the whole answer; nothing where nobody serves yet."""
    try:
        with socket.create_connection((address, port), timeout=60) as client:
            sender = threading.Thread(target=send, args=(client, question), daemon=True)
            sender.start()
            answer = bytearray()
            while part := client.recv(1 << 16):
                answer += part
            sender.join()
            return bytes(answer)
    except OSError:
        return b""


def send(client: socket.socket, question: bytes) -> None:
    """Send a question and its end."""
    try:
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)
    except OSError:  # it was cut off: who reads the answer sees that
        pass


def ask_many(port: int, count: int, size: int) -> list[bool]:
    """Ask as many clients at a time; return whether each got back what it sent."""
    questions = [os.urandom(size) for _ in range(count)]
    answers: list[bytes] = [b""] * count

    def work(number: int) -> None:
        answers[number] = ask(port, questions[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer == question for answer, question in zip(answers, questions, strict=True)]


def in_background(work: Callable[[], None]) -> threading.Thread:
    """Start some work beside the test."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def wait_for_server(port: int, address: str = "127.0.0.1") -> None:
    """Wait until a server answers through a port: rtrace listens before there is one."""
    wait_until(lambda: ask(port, b"?", address) == b"?")
