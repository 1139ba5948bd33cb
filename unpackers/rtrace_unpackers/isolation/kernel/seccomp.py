"""The seccomp filter of a replay: a program for the kernel's classic BPF machine, made from the table of refused calls.

See seccomp(2) and the kernel's userspace-api/seccomp_filter. What is always allowed costs a call nothing where the
kernel keeps a bitmap of such calls (Linux 5.11).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rtrace.limits import NESTED_NAMESPACES, VSOCK
from rtrace_unpackers.isolation.kernel.refused_calls import (
    BY_NAME,
    CLONE,
    IOCTL,
    KERNEL,
    LAST_CALL,
    PERSONALITY,
    SOCKET,
    UNKNOWN_TO_PROGRAMS,
)

RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6] (little endian: low word first).
AT_NUMBER, AT_ARCHITECTURE, AT_FIRST, AT_SECOND = 0, 4, 16, 24
LOAD, JUMP, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; clone(2) has no room for CLONE_NEWTIME.
NAMESPACE_FLAGS = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
AF_ALG, AF_VSOCK = 38, 40
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
ADDR_NO_RANDOMIZE, UNAME26, PER_LINUX32 = 0x0040000, 0x0020000, 0x0008
PERSONALITIES = tuple(
    base | randomized
    for base in (0, PER_LINUX32, UNAME26, UNAME26 | PER_LINUX32)
    for randomized in (0, ADDR_NO_RANDOMIZE)
)
ASK_FOR_PERSONALITY = 0xFFFFFFFF
ARM_PRIVATE_CALLS = 0x0F0000


@dataclass(frozen=True, slots=True)
class Interface:
    """A way to call the kernel: its AUDIT_ARCH of linux/audit.h, its column in the table, and which machine has it."""

    audit_architecture: int
    column: int
    machine: str


INTERFACES = (
    Interface(0xC000003E, 0, "x86_64"),
    Interface(0x40000003, 1, "x86_64"),
    Interface(0xC00000B7, 2, "aarch64"),
    Interface(0x40000028, 3, "aarch64"),
)


def build_filter(machine: str, allowed: frozenset[str] = frozenset()) -> bytes:
    """Return the filter for a machine, by the name that uname(2) has for it, without what is allowed."""
    blocks = b""
    for interface in INTERFACES:
        if interface.machine == machine:
            body = build_block(interface, allowed)
            blocks += instruction(LOAD, AT_ARCHITECTURE)
            blocks += instruction(EQUAL, interface.audit_architecture, 1, 0)
            blocks += instruction(JUMP, len(body) // 8)  # a conditional one reaches 255 instructions only
            blocks += body
    return blocks + refuse(errno.ENOSYS)


def build_block(interface: Interface, allowed: frozenset[str]) -> bytes:
    """Return the checks of one way to call; each refused call is a comparison and a return."""
    code = instruction(LOAD, AT_NUMBER)
    if interface.column == 3:  # noqa: PLR2004 -- the calls of arm's own lie above all others
        code += instruction(AT_LEAST, ARM_PRIVATE_CALLS, 0, 1) + instruction(RETURN, RET_ALLOW)
    code += instruction(AT_LEAST, LAST_CALL + 1, 0, 1) + refuse(errno.ENOSYS)
    for number, error in list_refused(interface.column, allowed):
        code += instruction(EQUAL, number, 0, 1) + refuse(error)
    if NESTED_NAMESPACES not in allowed:
        flags = instruction(LOAD, AT_FIRST) + instruction(ANY_BIT, NAMESPACE_FLAGS, 0, 1) + refuse(errno.EPERM)
        code += look_into(CLONE[interface.column], flags)
    code += look_into(SOCKET[interface.column], refuse_values(AT_FIRST, list_families(allowed), errno.EAFNOSUPPORT))
    code += look_into(IOCTL[interface.column], refuse_values(AT_SECOND, (TIOCSTI, TIOCLINUX), errno.EPERM))
    personalities = instruction(LOAD, AT_FIRST)
    for value in (*PERSONALITIES, ASK_FOR_PERSONALITY):
        personalities += instruction(EQUAL, value, 0, 1) + instruction(RETURN, RET_ALLOW)
    code += look_into(PERSONALITY[interface.column], personalities + refuse(errno.EPERM))
    return code + instruction(RETURN, RET_ALLOW)


def list_refused(column: int, allowed: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of what is refused whatever its arguments, and the error that it fails with."""
    groups = [(KERNEL, errno.EPERM)]
    groups += [(calls, errno.EPERM) for name, calls in BY_NAME.items() if name not in allowed]
    groups += [(calls, errno.ENOSYS) for name, calls in UNKNOWN_TO_PROGRAMS.items() if name not in allowed]
    for calls, error in groups:
        for numbers in calls.values():
            number = numbers[column]
            if number is not None:
                yield number, error


def list_families(allowed: frozenset[str]) -> tuple[int, ...]:
    """Return the families of addresses that no socket may have: what no network namespace holds back."""
    return (AF_ALG,) if VSOCK in allowed else (AF_ALG, AF_VSOCK)


def look_into(number: int | None, body: bytes) -> bytes:
    """Return instructions that do something for one call only, whose number is loaded; what it allows, it allows."""
    if number is None:
        return b""
    body += instruction(RETURN, RET_ALLOW)
    return instruction(EQUAL, number, 0, len(body) // 8) + body


def refuse_values(argument: int, values: tuple[int, ...], error: int) -> bytes:
    """Return instructions that refuse a call when the low 32 bits of an argument are one of some values."""
    code = instruction(LOAD, argument)
    for value in values:
        code += instruction(EQUAL, value, 0, 1) + refuse(error)
    return code


def refuse(error: int) -> bytes:
    """Return the instruction that makes a call fail."""
    return instruction(RETURN, RET_ERRNO | error)


def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Encode one ``struct sock_filter``."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
