"""The seccomp filter as a value: which system calls are told to the tracer, refused, or run at full speed.

A filter is classic BPF over ``struct seccomp_data`` {int nr; u32 arch; u64 instruction_pointer; u64 args[6]}, see
seccomp(2) and the kernel's Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.kernel.call_table import AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, CLONE_UNTRACED, Condition
from rtrace.capture.kernel.interfaces import PR_SET_DUMPABLE, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_TRACE

ENOSYS = 38
LOAD = 0x20  # BPF_LD|BPF_W|BPF_ABS
JUMP, JUMP_IF_EQUAL, JUMP_IF_NOT_BELOW = 0x05, 0x15, 0x35  # BPF_JMP with BPF_JA, BPF_JEQ|BPF_K, BPF_JGE|BPF_K
JUMP_IF_SET = 0x45  # BPF_JMP|BPF_JSET|BPF_K
AND = 0x54  # BPF_ALU|BPF_AND|BPF_K
RETURN = 0x06  # BPF_RET|BPF_K
INT_MASK = 0xFFFFFFFF
NUMBER_OFFSET, ARCHITECTURE_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16
X32_BIT = 0x40000000  # __X32_SYSCALL_BIT: what the x32 ABI adds to a number under AUDIT_ARCH_X86_64
X32_END = 0x80000000  # from here on a number is negative, and no call of anybody's

Instruction = tuple[int, int, int, int]


def build_filter(architectures: Iterable[Architecture], verdict: int, *, exposing: bool = False) -> bytes:
    """Assemble the filter for the interfaces that programs may use; calls of any other run unseen.

    ``verdict`` is what the filter returns for a call that the tracer must see; one whose result it must see, too, is
    always told by a stop. ``exposing`` keeps programs from hiding from a tracer without privileges: prctl(2) with
    PR_SET_DUMPABLE and 0 does nothing, and says that it did.
    Returns the program as an array of little-endian ``struct sock_filter``.
    """
    code: list[Instruction] = [(LOAD, 0, 0, ARCHITECTURE_OFFSET)]
    for architecture in architectures:
        section = build_section(architecture, verdict)
        if exposing and architecture.prctl >= 0:
            section = section[:1] + build_exposure(architecture.prctl) + section[1:]
        code += [(JUMP_IF_EQUAL, 1, 0, architecture.audit), (JUMP, 0, 0, len(section)), *section]
    code.append((RETURN, 0, 0, SECCOMP_RET_ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def build_section(architecture: Architecture, verdict: int) -> list[Instruction]:
    """Assemble the part of the filter for one interface; every path through it returns."""
    code: list[Instruction] = [(LOAD, 0, 0, NUMBER_OFFSET)]
    for number in sorted(architecture.refused):
        code += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, SECCOMP_RET_ERRNO | ENOSYS)]
    code += build_clones(architecture)
    for number, flags in sorted(architecture.fstat_aliases.items()):
        code += [
            (JUMP_IF_EQUAL, 0, 7, number),
            (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * flags),
            (AND, 0, 0, INT_MASK & ~AT_NO_AUTOMOUNT),
            (JUMP_IF_EQUAL, 0, 3, AT_EMPTY_PATH),
            (LOAD, 0, 0, ARGUMENTS_OFFSET),
            (JUMP_IF_EQUAL, 1, 0, AT_FDCWD),
            (RETURN, 0, 0, SECCOMP_RET_ALLOW),
            (RETURN, 0, 0, verdict),
        ]
    for number, condition in sorted(architecture.conditions.items()):
        test = build_test(condition, SECCOMP_RET_TRACE if number in architecture.awaited else verdict)
        code += [(JUMP_IF_EQUAL, 0, len(test), number), *test]
    numbers = sorted(set(architecture.calls) - set(architecture.fstat_aliases) - set(architecture.conditions))
    x32 = [(JUMP_IF_NOT_BELOW, 0, 1, X32_BIT), (JUMP_IF_NOT_BELOW, 0, 1, X32_END)]
    tests = x32 if architecture.name == "x86_64" else []
    code += [
        (JUMP_IF_EQUAL, len(numbers) - index + len(tests) + (number in architecture.awaited), 0, number)
        for index, number in enumerate(numbers)
    ]
    ends = (SECCOMP_RET_ALLOW, verdict, SECCOMP_RET_TRACE)
    code += [*tests, *((RETURN, 0, 0, end) for end in ends)]
    return code


def build_exposure(prctl: int) -> list[Instruction]:
    """Assemble the part of the filter by which a program stays dumpable; see PR_SET_DUMPABLE in prctl(2)."""
    return [
        (JUMP_IF_EQUAL, 0, 6, prctl),
        (LOAD, 0, 0, ARGUMENTS_OFFSET),
        (JUMP_IF_EQUAL, 0, 3, PR_SET_DUMPABLE),
        (LOAD, 0, 0, ARGUMENTS_OFFSET + 8),
        (JUMP_IF_EQUAL, 0, 1, 0),
        (RETURN, 0, 0, SECCOMP_RET_ERRNO),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]


def build_clones(architecture: Architecture) -> list[Instruction]:
    """Assemble the part of the filter that stops a clone(2) with CLONE_UNTRACED, so that the flag is taken away.

    A child that nobody traces would have those of its calls refused that stop. The flags of clone3(2) are in memory,
    where no filter can look, so it always stops.
    """
    code: list[Instruction] = []
    if architecture.clone >= 0:
        code += [
            (JUMP_IF_EQUAL, 0, 4, architecture.clone),
            (LOAD, 0, 0, ARGUMENTS_OFFSET),
            (JUMP_IF_SET, 0, 1, CLONE_UNTRACED),
            (RETURN, 0, 0, SECCOMP_RET_TRACE),
            (RETURN, 0, 0, SECCOMP_RET_ALLOW),
        ]
    if architecture.clone3 >= 0:
        code += [(JUMP_IF_EQUAL, 0, 1, architecture.clone3), (RETURN, 0, 0, SECCOMP_RET_TRACE)]
    return code


def build_test(condition: Condition, verdict: int) -> list[Instruction]:
    """Assemble the end of the filter for a call that matters under a condition; its values fit in 32 bits."""
    argument = ARGUMENTS_OFFSET + 8 * condition.argument
    values = condition.values
    ends: list[Instruction] = [(RETURN, 0, 0, SECCOMP_RET_ALLOW), (RETURN, 0, 0, verdict)]
    if values:
        tests = [(JUMP_IF_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
        return [(LOAD, 0, 0, argument), *tests, *ends]
    brief = build_brief(condition)
    return [
        (LOAD, 0, 0, argument),
        (JUMP_IF_EQUAL, 0, len(brief) + 3, 0),
        (LOAD, 0, 0, argument + 4),
        (JUMP_IF_EQUAL, 0, len(brief) + 1, 0),
        *brief,
        *ends,
    ]


def build_brief(condition: Condition) -> list[Instruction]:
    """Assemble the test of a message by flags and size: any other goes on behind it, and what matters skips that."""
    if condition.brief is None:
        return []
    flags, end = condition.brief
    argument = ARGUMENTS_OFFSET + 8 * condition.argument
    return [
        (LOAD, 0, 0, argument - 8),
        (JUMP_IF_EQUAL, 0, 2, flags),
        (LOAD, 0, 0, argument - 16),
        (JUMP_IF_NOT_BELOW, 0, 1, end),
    ]
