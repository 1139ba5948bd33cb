"""The seccomp filter of a replay, made from the table of refused calls.

What is always allowed costs a call nothing where the kernel keeps a bitmap of such calls (Linux 5.11).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from rtrace.limits import NESTED_NAMESPACES, VSOCK
from rtrace.linux.bpf import (
    ALLOW,
    LOAD_ARCHITECTURE,
    LOAD_NUMBER,
    Instruction,
    assemble,
    for_architecture,
    if_any_bit,
    if_not_below,
    load_argument,
    refuse,
    when_equal,
)
from rtrace_unpackers.isolation.kernel.refused_calls import (
    BY_NAME,
    CLONE,
    IOCTL,
    KERNEL,
    LAST_CALL,
    PERSONALITY,
    PRLIMIT,
    SETRLIMIT,
    SOCKET,
    UNKNOWN_TO_PROGRAMS,
    Numbers,
)

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
RLIMIT_CORE = 4
NOTHING_ABSENT: Mapping[str, Numbers] = MappingProxyType({})
NOTHING_KEPT: frozenset[str] = frozenset()


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


def build_filter(
    machine: str,
    allowed: frozenset[str] = frozenset(),
    absent: Mapping[str, Numbers] = NOTHING_ABSENT,
    kept: frozenset[str] = NOTHING_KEPT,
) -> bytes:
    """Return the filter for a machine, by the name that uname(2) has for it, without what is allowed.

    ``absent`` are further calls that do not exist for a replay, whatever is allowed; ``kept`` are the names of calls
    that it is not to be without, and that are refused otherwise.
    """
    program: list[Instruction] = []
    for interface in INTERFACES:
        if interface.machine == machine:
            body = build_block(interface, allowed, absent, kept)
            program += [LOAD_ARCHITECTURE, *for_architecture(interface.audit_architecture, body)]
    return assemble([*program, refuse(errno.ENOSYS)])


def build_block(
    interface: Interface,
    allowed: frozenset[str],
    absent: Mapping[str, Numbers] = NOTHING_ABSENT,
    kept: frozenset[str] = NOTHING_KEPT,
) -> list[Instruction]:
    """Return the checks of one way to call; each refused call is a comparison and a return."""
    code = [LOAD_NUMBER]
    if interface.column == 3:  # noqa: PLR2004 -- the calls of arm's own lie above all others
        code += [if_not_below(ARM_PRIVATE_CALLS, otherwise=1), ALLOW]
    code += [if_not_below(LAST_CALL + 1, otherwise=1), refuse(errno.ENOSYS)]
    missing = ((numbers[interface.column], errno.ENOSYS) for numbers in absent.values())
    for number, error in (*missing, *list_refused(interface.column, allowed, kept)):
        code += when_equal(number, [refuse(error)]) if number is not None else []
    if NESTED_NAMESPACES not in allowed:
        flags = [load_argument(0), if_any_bit(NAMESPACE_FLAGS, otherwise=1), refuse(errno.EPERM)]
        code += look_into(CLONE[interface.column], flags)
    code += look_into(SOCKET[interface.column], refuse_values(0, list_families(allowed), errno.EAFNOSUPPORT))
    code += look_into(IOCTL[interface.column], refuse_values(1, (TIOCSTI, TIOCLINUX), errno.EPERM))
    personalities = [load_argument(0)]
    for value in (*PERSONALITIES, ASK_FOR_PERSONALITY):
        personalities += when_equal(value, [ALLOW])
    code += look_into(PERSONALITY[interface.column], [*personalities, refuse(errno.EPERM)])
    code += look_into(SETRLIMIT[interface.column], [load_argument(0), *when_equal(RLIMIT_CORE, [refuse(0)])])
    code += look_into(PRLIMIT[interface.column], [load_argument(1), *when_equal(RLIMIT_CORE, pass_over_a_new_limit())])
    return [*code, ALLOW]


def pass_over_a_new_limit() -> list[Instruction]:
    """Return instructions that let prlimit(2) tell a limit, and do as if it had set one when it is given one.

    A replay keeps the limit on core dumps that it begins with; scripts that want another go on.
    """
    given: list[Instruction] = []
    for high in (False, True):
        given += [load_argument(2, high=high), if_any_bit(0xFFFFFFFF, otherwise=1), refuse(0)]
    return given


def list_refused(column: int, allowed: frozenset[str], kept: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of what is refused whatever its arguments, and the error that it fails with."""
    groups = [(KERNEL, errno.EPERM)]
    groups += [(calls, errno.EPERM) for name, calls in BY_NAME.items() if name not in allowed]
    groups += [(calls, errno.ENOSYS) for name, calls in UNKNOWN_TO_PROGRAMS.items() if name not in allowed]
    for calls, error in groups:
        for name, numbers in calls.items():
            number = numbers[column]
            if number is not None and name not in kept:
                yield number, error


def list_families(allowed: frozenset[str]) -> tuple[int, ...]:
    """Return the families of addresses that no socket may have: what no network namespace holds back."""
    return (AF_ALG,) if VSOCK in allowed else (AF_ALG, AF_VSOCK)


def look_into(number: int | None, body: Sequence[Instruction]) -> list[Instruction]:
    """Return instructions that do something for one call only, whose number is loaded; what it allows, it allows."""
    return [] if number is None else when_equal(number, [*body, ALLOW])


def refuse_values(argument: int, values: Iterable[int], error: int) -> list[Instruction]:
    """Return instructions that refuse a call when the low 32 bits of an argument are one of some values."""
    code = [load_argument(argument)]
    for value in values:
        code += when_equal(value, [refuse(error)])
    return code
