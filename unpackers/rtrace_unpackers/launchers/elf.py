"""Put a program together: ELF headers, machine code, data. See elf(5). All numbers are little-endian.

0x400000    the headers: one for each segment, and one that says that the stack is not executable
0x400100    machine code
and then    data, where the program looks for them
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from rtrace_unpackers.launchers.processors import Processor

BASE = 0x400000
CODE_OFFSET = 0x100
"""Where the code lies in the file."""
WIDE = 8
"""Bytes of a word where there are 64 bits."""

PT_LOAD, PT_GNU_STACK = 1, 0x6474E551
EXECUTABLE, WRITABLE, READABLE = 1, 2, 4
PAGE = 0x10000
"""The largest that any of the kernels has."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file, and what may be done with it in memory."""

    offset: int
    size: int
    flags: int


def build_program(processor: Processor, code: bytes, segments: Sequence[Segment], data: bytes, at: int) -> bytes:
    """Return a program whose data begin at an offset of the file, which its code knows."""
    headers = pack_headers(processor, segments)
    return headers.ljust(CODE_OFFSET, b"\0") + code.ljust(at - CODE_OFFSET, b"\0") + data


def pack_headers(processor: Processor, segments: Sequence[Segment]) -> bytes:
    """Return the ELF header and the program headers."""
    wide = processor.word == WIDE
    header_size, program_header_size, section_header_size = (64, 56, 64) if wide else (52, 32, 40)
    header = struct.pack(
        "<4sBBBB8xHHI" + ("QQQ" if wide else "III") + "IHHHHHH",
        b"\x7fELF",
        2 if wide else 1,  # 64 or 32 bits
        1,  # little-endian
        1,  # version
        0,  # System V
        2,  # executable
        processor.elf_machine,
        1,  # version
        BASE + CODE_OFFSET,
        header_size,
        0,  # no sections
        0,  # no flags
        header_size,
        program_header_size,
        len(segments) + 1,
        section_header_size,
        0,
        0,
    )
    for segment in segments:
        header += pack_program_header(wide, PT_LOAD, segment, BASE + segment.offset, PAGE)
    return header + pack_program_header(wide, PT_GNU_STACK, Segment(0, 0, READABLE | WRITABLE), 0, 16)


def pack_program_header(wide: bool, kind: int, segment: Segment, address: int, alignment: int) -> bytes:  # noqa: FBT001
    """Return one program header; the two sizes of words have their fields in another order."""
    offset, size, flags = segment.offset, segment.size, segment.flags
    if wide:
        return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, size, size, alignment)
    return struct.pack("<8I", kind, offset, address, address, size, size, flags, alignment)
