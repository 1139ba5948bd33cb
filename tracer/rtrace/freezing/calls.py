"""The calls by which a program finds what differs from run to run: their numbers, and the filter that stops them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rtrace.linux.bpf import (
    ALLOW,
    LOAD_ARCHITECTURE,
    LOAD_NUMBER,
    SECCOMP_RET_TRACE,
    Instruction,
    answer,
    assemble,
    for_architecture,
    if_any_bit,
    if_equal,
    keep_bits,
    load_argument,
    when_equal,
)
from rtrace.linux.interfaces import AUDIT_ARCHITECTURES, own_interface

NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "open": 2,
        "stat": 4,
        "fstat": 5,
        "lstat": 6,
        "poll": 7,
        "select": 23,
        "nanosleep": 35,
        "uname": 63,
        "getdents": 78,
        "mkdir": 83,
        "gettimeofday": 96,
        "getrusage": 98,
        "sysinfo": 99,
        "times": 100,
        "rt_sigtimedwait": 128,
        "time": 201,
        "futex": 202,
        "getdents64": 217,
        "semtimedop": 220,
        "timer_settime": 223,
        "clock_gettime": 228,
        "clock_nanosleep": 230,
        "epoll_wait": 232,
        "openat": 257,
        "mkdirat": 258,
        "newfstatat": 262,
        "pselect6": 270,
        "ppoll": 271,
        "epoll_pwait": 281,
        "timerfd_settime": 286,
        "getcpu": 309,
        "getrandom": 318,
        "statx": 332,
        "openat2": 437,
        "epoll_pwait2": 441,
    },
    "aarch64": {
        "epoll_pwait": 22,
        "mkdirat": 34,
        "openat": 56,
        "getdents64": 61,
        "pselect6": 72,
        "ppoll": 73,
        "newfstatat": 79,
        "fstat": 80,
        "timerfd_settime": 86,
        "futex": 98,
        "nanosleep": 101,
        "timer_settime": 110,
        "clock_gettime": 113,
        "clock_nanosleep": 115,
        "rt_sigtimedwait": 137,
        "times": 153,
        "uname": 160,
        "getrusage": 165,
        "getcpu": 168,
        "gettimeofday": 169,
        "sysinfo": 179,
        "semtimedop": 192,
        "getrandom": 278,
        "statx": 291,
        "openat2": 437,
        "epoll_pwait2": 441,
    },
}
"""Of 64-bit programs, by machine; from the kernel's syscall_64.tbl and include/uapi/asm-generic/unistd.h."""

NOT_IN_TRACES = frozenset(
    {"open", "openat", "openat2", "mkdir", "mkdirat", "stat", "lstat", "fstat", "newfstatat", "statx", "uname"},
)
"""Calls that are not frozen while a run is traced: files are the recorder's to look at, and a call has one answer. The
process that is about to execute the program makes the last one when nobody answers yet."""
FUTEX_COMMAND = 0x7F  # without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME of linux/futex.h
FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2 = 0, 6, 9, 11, 13
FUTEX_WAITS = (FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2)
EVERY_BIT = 0xFFFFFFFF
STOP = answer(SECCOMP_RET_TRACE)


def name_calls(machine: str, *, traced: bool) -> dict[int, str]:
    """Return the calls of a machine that are frozen, by number; ``traced`` is for a run that is traced."""
    known = NUMBERS.get(machine, {})
    return {number: name for name, number in known.items() if not (traced and name in NOT_IN_TRACES)}


def make_filter(*, traced: bool) -> bytes:
    """Return the filter of this machine; see `name_calls`."""
    machine = own_interface()
    return build_filter(machine, name_calls(machine, traced=traced))


def build_filter(machine: str, calls: Iterable[int]) -> bytes:
    """Return the filter that stops these calls of 64-bit programs, and lets all others run."""
    numbers = sorted(calls)
    futex = NUMBERS[machine]["futex"]
    code: list[Instruction] = [LOAD_NUMBER, *when_equal(futex, build_futex_test())]
    plain = [number for number in numbers if number != futex]
    code += [if_equal(number, skip=len(plain) - index) for index, number in enumerate(plain)]
    code += [ALLOW, STOP]
    return assemble([LOAD_ARCHITECTURE, *for_architecture(AUDIT_ARCHITECTURES[machine], code), ALLOW])


def build_futex_test() -> list[Instruction]:
    """Return instructions that stop a futex(2) which waits, and not for ever; each other one is allowed."""
    waits = [if_equal(command, skip=len(FUTEX_WAITS) - index) for index, command in enumerate(FUTEX_WAITS)]
    return [
        load_argument(1),
        keep_bits(FUTEX_COMMAND),
        *waits,
        ALLOW,
        load_argument(3),
        if_any_bit(EVERY_BIT, otherwise=1),
        STOP,
        load_argument(3, high=True),
        if_any_bit(EVERY_BIT, otherwise=1),
        STOP,
        ALLOW,
    ]
