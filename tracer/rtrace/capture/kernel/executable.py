"""What the kernel itself reads to execute a file: ``#!`` lines, ELF interpreters, binfmt_misc handlers.

See execve(2), elf(5) and the kernel's Documentation/admin-guide/binfmt-misc.rst.
"""

from __future__ import annotations

import os
import struct
from functools import lru_cache
from typing import NamedTuple

HEADER = 256  # BINPRM_BUF_SIZE of the kernel
PT_INTERP, ELFCLASS64, ELFDATA2LSB = 3, 2, 1
PATH_MAX = 4096
BINFMT_MISC = "/proc/sys/fs/binfmt_misc"


def read_interpreter(path: bytes) -> bytes | None:
    """Return the program that the kernel loads to execute the file: from ``#!``, PT_INTERP or binfmt_misc.

    It is None for a static ELF file and for anything that is no program. Raises OSError for a file that cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        header = os.read(descriptor, HEADER)
        if header.startswith(b"#!"):  # words end at blanks and tabs alone: a CR of Windows belongs to the name
            words = header[2:].split(b"\n", 1)[0].replace(b"\t", b" ").split(b" ")
            return next(filter(None, words), None)
        if header.startswith(b"\x7fELF"):
            return read_elf_interpreter(descriptor, header) or match_handler(path, header)
        return match_handler(path, header)
    except struct.error:
        return None
    finally:
        os.close(descriptor)


def find_missing_interpreter(path: bytes) -> bytes | None:
    """Return the interpreter or dynamic loader that a program needs, if it is not there; None for all others.

    A handler of binfmt_misc may have been opened when it was registered, so nothing is known of what it needs.
    """
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER)
        interpreter = read_interpreter(path) if match_handler(path, header) is None else None
    except OSError:  # EACCES: it may be executed and not read
        return None
    return None if interpreter is None or os.path.exists(interpreter) else interpreter


def is_direct(path: bytes) -> bool:
    """Whether the kernel loads the file itself, and does not hand it to an interpreter as an argument."""
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER)
    except OSError:  # its interpreter could not be read either, and that is told
        return False
    return header.startswith(b"\x7fELF") and match_handler(path, header) is None


def read_elf_interpreter(descriptor: int, header: bytes) -> bytes | None:
    """Read PT_INTERP of an ELF file of either word size and byte order, from its first bytes on."""
    wide, order = header[4] == ELFCLASS64, "<" if header[5] == ELFDATA2LSB else ">"
    word = order + ("Q" if wide else "I")
    (table_offset,) = struct.unpack_from(word, header, 32 if wide else 28)
    size, count = struct.unpack_from(order + "HH", header, 54 if wide else 42)
    table = os.pread(descriptor, size * count, table_offset)
    for start in range(0, size * count, size):
        if struct.unpack_from(order + "I", table, start)[0] == PT_INTERP:
            (position,) = struct.unpack_from(word, table, start + (8 if wide else 4))
            (length,) = struct.unpack_from(word, table, start + (32 if wide else 16))
            return os.pread(descriptor, min(length, PATH_MAX), position).split(b"\0")[0]
    return None


class Handler(NamedTuple):
    """One enabled entry of binfmt_misc: a magic number under a mask at an offset, or a file name extension."""

    interpreter: bytes
    offset: int
    magic: bytes
    mask: bytes
    extension: bytes


@lru_cache(maxsize=1)
def read_handlers() -> tuple[Handler, ...]:
    """Return the handlers that this kernel has registered; nothing where binfmt_misc is not mounted."""
    handlers = []
    try:
        names = os.listdir(BINFMT_MISC)
    except OSError:  # ENOENT: it is not mounted
        return ()
    for name in sorted(set(names) - {"register", "status"}):
        try:
            with open(f"{BINFMT_MISC}/{name}", "rb") as file:
                lines = file.read().splitlines()
        except OSError:  # ENOENT: it was taken away meanwhile
            continue
        values = dict(line.split(b" ", 1) for line in lines if b" " in line)
        if b"enabled" not in lines or b"interpreter" not in values:
            continue
        magic = bytes.fromhex(values.get(b"magic", b"").decode())
        mask = bytes.fromhex(values.get(b"mask", b"").decode()) or b"\xff" * len(magic)
        extension = values.get(b"extension", b"").strip()
        handlers.append(Handler(values[b"interpreter"], int(values.get(b"offset", b"0")), magic, mask, extension))
    return tuple(handlers)


def match_handler(path: bytes, header: bytes) -> bytes | None:
    """Return the binfmt_misc interpreter of a file, by its first bytes or its extension; None if it has none."""
    for handler in read_handlers():
        found = header[handler.offset : handler.offset + len(handler.magic)]
        if handler.magic and len(found) == len(handler.magic):
            if all(a & m == b & m for a, b, m in zip(found, handler.magic, handler.mask, strict=True)):
                return handler.interpreter
        elif handler.extension and path.endswith(handler.extension):
            return handler.interpreter
    return None
