"""Calls that wait for a while: the frozen clock goes on by what they have waited for, and deadlines are translated.

the program's deadline    on its frozen clock            while the call runs it has, in its memory, the same moment
the kernel's deadline     on the machine's clock         on the machine's clock, and its own again afterwards
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable
from typing import TypeAlias

from rtrace.freezing.calls import FUTEX_COMMAND, FUTEX_LOCK_PI, FUTEX_WAIT
from rtrace.freezing.clock import (
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    PROCESSOR_CLOCKS,
    SECOND,
    SINCE_BOOT_CLOCKS,
    find_base,
)
from rtrace.freezing.processes import FrozenThread

Finish: TypeAlias = Callable[[int], None]
"""Takes the result of a call that has been made; an error's number is negative."""

TIMESPEC = struct.Struct("=qq")  # timespec(3): seconds, nanoseconds; timeval(3type): seconds, microseconds
MILLISECOND, MICROSECOND = 1_000_000, 1_000
TIMER_ABSTIME, FUTEX_CLOCK_REALTIME, TFD_TIMER_ABSTIME = 1, 256, 1
ITIMERSPEC_VALUE = TIMESPEC.size  # behind the interval, timerfd_settime(2)
MOST = 1 << 62
"""Nanoseconds: a longer wait is one for ever."""

TIMEOUT_ARGUMENT = {
    "select": (4, MICROSECOND),
    "pselect6": (4, 1),
    "ppoll": (2, 1),
    "epoll_pwait2": (3, 1),
    "rt_sigtimedwait": (2, 1),
    "semtimedop": (3, 1),
    "nanosleep": (0, 1),
}
"""Which argument points to how long a call waits at most, and the nanoseconds of its smaller unit."""
MILLISECONDS_ARGUMENT = {"poll": 2, "epoll_wait": 3, "epoll_pwait": 3}
"""Which argument is how long a call waits, in milliseconds; negative is for ever."""
SLEPT, TIMED_OUT, AGAIN = 0, -errno.ETIMEDOUT, -errno.EAGAIN
"""Results of calls that have waited in vain: of those that sleep or poll, of futex(2), of those for a signal or a
semaphore."""


def begin_wait(thread: FrozenThread, name: str, arguments: list[int], began: int) -> Finish | None:
    """Look at a call that waits, before it is made; return what is to be done after it. Raises OSError."""
    if name == "clock_nanosleep":
        clock, absolute, pointer = sign(arguments[0]), arguments[1] & TIMER_ABSTIME, arguments[2]
        return (
            translate(thread, pointer, clock, began, SLEPT)
            if absolute
            else wait_for(thread, read_time(thread, pointer, 1), SLEPT)
        )
    if name == "futex":
        command = arguments[1] & FUTEX_COMMAND
        if command == FUTEX_WAIT:
            return wait_for(thread, read_time(thread, arguments[3], 1), TIMED_OUT)
        real = arguments[1] & FUTEX_CLOCK_REALTIME or command == FUTEX_LOCK_PI
        return translate(thread, arguments[3], CLOCK_REALTIME if real else CLOCK_MONOTONIC, began, TIMED_OUT)
    if name in MILLISECONDS_ARGUMENT:
        milliseconds = sign(arguments[MILLISECONDS_ARGUMENT[name]])
        return wait_for(thread, milliseconds * MILLISECOND, SLEPT) if milliseconds > 0 else None
    if name in {"timerfd_settime", "timer_settime"}:
        return set_timer(thread, arguments, began)
    index, unit = TIMEOUT_ARGUMENT[name]
    vain = AGAIN if name in {"rt_sigtimedwait", "semtimedop"} else SLEPT
    return wait_for(thread, read_time(thread, arguments[index], unit), vain) if arguments[index] else None


def wait_for(thread: FrozenThread, nanoseconds: int, vain: int) -> Finish | None:
    """Return what lets the clock go on after a call that waits for so long, if its result says that nothing came."""
    if not 0 < nanoseconds < MOST:
        return None

    def finish(result: int) -> None:
        if result == vain:
            thread.process.clock.wait(nanoseconds)

    return finish


def translate(thread: FrozenThread, pointer: int, clock: int, began: int, vain: int | None) -> Finish | None:
    """Put the machine's deadline in the place of the program's until its call has ended. Raises OSError."""
    wanted = read_time(thread, pointer, 1)
    if clock < 0 or clock in PROCESSOR_CLOCKS or not 0 <= wanted < MOST:
        return None
    frozen, base = thread.process.clock, find_base(clock, began)
    own = thread.read_all(pointer, TIMESPEC.size)
    moment = read_machine_clock(clock) + max(0, wanted - base - frozen.elapsed)
    thread.write(pointer, TIMESPEC.pack(*divmod(moment, SECOND)))

    def finish(result: int) -> None:
        thread.write(pointer, own)
        if result == vain:
            frozen.wait_until(wanted - base)

    return finish


def set_timer(thread: FrozenThread, arguments: list[int], began: int) -> Finish | None:
    """Translate the moment of a timer: its clock is not known here, so by its size. Raises OSError."""
    if not arguments[1] & TFD_TIMER_ABSTIME or not arguments[2]:
        return None
    pointer = arguments[2] + ITIMERSPEC_VALUE
    wanted = read_time(thread, pointer, 1)
    clock = CLOCK_REALTIME if wanted >= began * SECOND // 2 else CLOCK_MONOTONIC
    if not wanted:  # which stops a timer
        return None
    return translate(thread, pointer, clock, began, None)


def read_machine_clock(clock: int) -> int:
    """Return what a clock of the machine shows, in nanoseconds."""
    return time.clock_gettime_ns(CLOCK_MONOTONIC if clock in SINCE_BOOT_CLOCKS else CLOCK_REALTIME)


def read_time(thread: FrozenThread, address: int, unit: int) -> int:
    """Read a time of so many nanoseconds in its smaller unit, as nanoseconds. Raises OSError."""
    seconds, rest = TIMESPEC.unpack(thread.read_all(address, TIMESPEC.size))
    return int(seconds * SECOND + rest * unit)


def sign(register: int) -> int:
    """Return an int that was passed in a register."""
    value = register & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
