"""The seccomp filter as a value: which system calls are told to the tracer, refused, or run at full speed.

A filter is classic BPF over ``struct seccomp_data`` {int nr; u32 arch; u64 instruction_pointer; u64 args[6]}, see
seccomp(2) and the kernel's Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from rtrace.capture.calls import AT_EMPTY_PATH, AT_FDCWD
from rtrace.capture.kernel import SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO

ENOSYS = 38
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
NUMBER_OFFSET, ARCHITECTURE_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16

Instruction = tuple[int, int, int, int]


def build_filter(
    audit_architecture: int,
    *,
    seen: Iterable[int],
    refused: Iterable[int],
    fstat_aliases: dict[int, int],
    verdict: int,
) -> bytes:
    """Assemble the filter for one architecture (an AUDIT_ARCH value); other architectures' calls run unseen.

    ``verdict`` is what the filter returns for the ``seen`` numbers; ``fstat_aliases`` maps a number to the index of
    its flags argument. Returns the program as an array of little-endian ``struct sock_filter``.
    """
    code: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE_OFFSET),
        (JUMP_IF_EQUAL, 1, 0, audit_architecture),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
        (LOAD, 0, 0, NUMBER_OFFSET),
    ]
    for number in sorted(refused):
        code += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, SECCOMP_RET_ERRNO | ENOSYS)]
    for number, flags in sorted(fstat_aliases.items()):
        code += [
            (JUMP_IF_EQUAL, 0, 6, number),
            (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * flags),
            (JUMP_IF_EQUAL, 0, 3, AT_EMPTY_PATH),
            (LOAD, 0, 0, ARGUMENTS_OFFSET),
            (JUMP_IF_EQUAL, 1, 0, AT_FDCWD),
            (RETURN, 0, 0, SECCOMP_RET_ALLOW),
            (RETURN, 0, 0, verdict),
        ]
    numbers = sorted(set(seen) - set(fstat_aliases))
    code += [(JUMP_IF_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)]
    code += [(RETURN, 0, 0, SECCOMP_RET_ALLOW), (RETURN, 0, 0, verdict)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)
