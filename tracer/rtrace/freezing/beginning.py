"""What the kernel lays on the stack of a new program: random bytes, and where the code is that reads the clock."""

from __future__ import annotations

import struct
from typing import Protocol

AT_NULL, AT_IGNORE, AT_RANDOM, AT_SYSINFO_EHDR = 0, 1, 25, 33  # getauxval(3)
RANDOM_BYTES = 16
PART = 4096
LONGEST = 1 << 24
"""Bytes from the stack pointer to the end of the auxiliary vector: arguments and environment take some of them."""
WORD, PAIR = struct.Struct("=Q"), struct.Struct("=QQ")


class Memory(Protocol):
    """The memory of a stopped process."""

    def read(self, address: int, size: int) -> bytes:
        """Read, fewer bytes at an unmapped page. Raises OSError."""

    def write(self, address: int, content: bytes) -> None:
        """Write. Raises OSError."""


def freeze_beginning(memory: Memory, stack: int, random: bytes | None) -> None:
    """Hide the vDSO from a 64-bit program that is about to begin, and give it these random bytes for its own.

    ``stack`` is its stack pointer: there lie argc, argv, envp and the auxiliary vector, see the kernel's
    fs/binfmt_elf.c. Without the vDSO, see vdso(7), libraries and static programs alike ask the kernel for the time.
    Raises OSError.
    """
    data = read_beginning(memory, stack)
    for offset in range(find_vector(data), len(data) - PAIR.size + 1, PAIR.size):
        kind, value = PAIR.unpack_from(data, offset)
        if kind == AT_NULL:
            return
        if kind == AT_SYSINFO_EHDR:
            memory.write(stack + offset, WORD.pack(AT_IGNORE))
        elif kind == AT_RANDOM and random is not None:
            memory.write(value, random[:RANDOM_BYTES])


def read_beginning(memory: Memory, stack: int) -> bytes:
    """Read from the stack pointer to the end of the auxiliary vector, and perhaps further."""
    data = b""
    while len(data) < LONGEST:
        position = stack + len(data)
        part = memory.read(position, PART - position % PART)
        data += part
        if not part or has_vector(data):
            break
    return data


def has_vector(data: bytes) -> bool:
    """Whether the whole auxiliary vector is in what was read."""
    offset = find_vector(data)
    return any(
        PAIR.unpack_from(data, place)[0] == AT_NULL for place in range(offset, len(data) - PAIR.size + 1, PAIR.size)
    )


def find_vector(data: bytes) -> int:
    """Return where the auxiliary vector begins, behind the null pointers after argv and envp; else the end."""
    if len(data) < WORD.size:
        return len(data)
    offset: int = WORD.size * (WORD.unpack_from(data)[0] + 2)
    while offset + WORD.size <= len(data):
        (pointer,) = WORD.unpack_from(data, offset)
        offset += WORD.size
        if not pointer:
            return offset
    return len(data)
