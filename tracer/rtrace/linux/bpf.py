"""An assembler of seccomp filters: programs for the kernel's classic BPF machine over ``struct seccomp_data``.

    int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]

A program is a sequence of instructions. Each jump says how many of the following ones it skips; a conditional one
skips at most 255. See seccomp(2) and the kernel's Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Instruction: TypeAlias = tuple[int, int, int, int]
"""The fields of ``struct sock_filter``: the operation, how many to skip if true and if false, the operand."""

SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_RET_TRACE = 0x7FF00000
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_ALLOW = 0x7FFF0000

LOAD = 0x20  # BPF_LD|BPF_W|BPF_ABS
AND = 0x54  # BPF_ALU|BPF_AND|BPF_K
JUMP = 0x05  # BPF_JMP|BPF_JA
JUMP_IF_EQUAL = 0x15  # BPF_JMP|BPF_JEQ|BPF_K
JUMP_IF_NOT_BELOW = 0x35  # BPF_JMP|BPF_JGE|BPF_K
JUMP_IF_ANY_BIT = 0x45  # BPF_JMP|BPF_JSET|BPF_K
RETURN = 0x06  # BPF_RET|BPF_K

ARGUMENTS_OFFSET, ARGUMENT_BYTES, HALF = 16, 8, 4
INSTRUCTION = struct.Struct("=HBBI")

LOAD_NUMBER: Instruction = (LOAD, 0, 0, 0)
LOAD_ARCHITECTURE: Instruction = (LOAD, 0, 0, 4)
ALLOW: Instruction = (RETURN, 0, 0, SECCOMP_RET_ALLOW)


def load_argument(index: int, *, high: bool = False) -> Instruction:
    """Load the low 32 bits of an argument, the first being 0; or its high ones. All interfaces are little-endian."""
    return (LOAD, 0, 0, ARGUMENTS_OFFSET + ARGUMENT_BYTES * index + (HALF if high else 0))


def keep_bits(mask: int) -> Instruction:
    """Clear all bits of what is loaded but these."""
    return (AND, 0, 0, mask)


def skip(count: int) -> Instruction:
    """Skip that many instructions, however many they are."""
    return (JUMP, 0, 0, count)


def if_equal(value: int, *, skip: int = 0, otherwise: int = 0) -> Instruction:
    """Skip some instructions if what is loaded equals a value, and others if it does not."""
    return (JUMP_IF_EQUAL, skip, otherwise, value)


def if_not_below(value: int, *, skip: int = 0, otherwise: int = 0) -> Instruction:
    """Skip some instructions if what is loaded is at least a value, unsigned, and others if it is not."""
    return (JUMP_IF_NOT_BELOW, skip, otherwise, value)


def if_any_bit(mask: int, *, skip: int = 0, otherwise: int = 0) -> Instruction:
    """Skip some instructions if what is loaded has one of these bits, and others if it has none."""
    return (JUMP_IF_ANY_BIT, skip, otherwise, mask)


def answer(verdict: int) -> Instruction:
    """End with a verdict, one of SECCOMP_RET_*."""
    return (RETURN, 0, 0, verdict)


def refuse(error: int) -> Instruction:
    """End by letting the call fail with an error number, or succeed without having been made if that is 0."""
    return (RETURN, 0, 0, SECCOMP_RET_ERRNO | error)


def when_equal(value: int, body: Sequence[Instruction]) -> list[Instruction]:
    """Do something only if what is loaded equals a value; at most 255 instructions."""
    return [if_equal(value, otherwise=len(body)), *body]


def for_architecture(audit: int, body: Sequence[Instruction]) -> list[Instruction]:
    """Do something only for calls by the interface of an AUDIT_ARCH value, which is loaded; it may be long."""
    return [if_equal(audit, skip=1), skip(len(body)), *body]


def assemble(program: Iterable[Instruction]) -> bytes:
    """Return the program as the array of ``struct sock_filter`` that seccomp(2) takes."""
    return b"".join([INSTRUCTION.pack(*instruction) for instruction in program])
