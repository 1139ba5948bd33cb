"""Signals with what is queued with them: taken by signalfd(2), sent by sigqueue(3)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from rtrace.linux.libc import last_error, load_libc

SIGSET_BYTES = 128  # of the C library; the kernel takes the first eight
SIGNALFD_INFO = struct.Struct("=I4xiI32xQ72x")  # struct signalfd_siginfo: signo, (errno), code, pid, ..., ptr, ...
SI_QUEUE = -1


class Arrival(NamedTuple):
    """A signal that came: its number, its code of sigaction(2), who sent it (0: the kernel), what is queued with it."""

    number: int
    code: int
    sender: int
    value: int


def open_signalfd(numbers: Iterable[int]) -> int:
    """Return a descriptor from which signals can be read that are blocked, without waiting. Raises OSError."""
    mask = sum(1 << (number - 1) for number in numbers)
    buffer = ctypes.create_string_buffer(mask.to_bytes(SIGSET_BYTES, "little"), SIGSET_BYTES)
    descriptor: int = load_libc().signalfd(-1, buffer, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise last_error("signalfd")
    return descriptor


def read_arrival(descriptor: int) -> Arrival:
    """Return the next signal of ``open_signalfd``. Raises BlockingIOError when there is none."""
    return Arrival(*SIGNALFD_INFO.unpack(os.read(descriptor, SIGNALFD_INFO.size)))


def queue_signal(pid: int, number: int, value: int) -> bool:
    """Whether a signal could be sent with a value queued."""
    return bool(load_libc().sigqueue(pid, number, ctypes.c_void_p(value)) == 0)
