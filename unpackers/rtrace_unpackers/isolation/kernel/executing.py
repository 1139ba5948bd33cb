"""Programs that are in memory alone, or in an open file; see memfd_create(2) and execveat(2)."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Sequence

from rtrace.errors import TargetError
from rtrace.linux.libc import call, check, load_libc
from rtrace_unpackers.isolation.kernel.numbers import AT_EMPTY_PATH, find_number

MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_EXEC = 0x1, 0x2, 0x10
F_ADD_SEALS = 1033
F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE = 0x1, 0x2, 0x4, 0x8


def make_sealed(name: bytes, content: bytes) -> int:
    """Return the descriptor of an anonymous file that can be executed and never changed; see memfd_create(2)."""
    import fcntl

    flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
    try:
        descriptor: int = check(load_libc().memfd_create(name, ctypes.c_uint(flags | MFD_EXEC)))
    except OSError as error:
        if error.errno != errno.EINVAL:  # before Linux 6.3, which has no such flag and always lets it be executed
            raise TargetError(
                f"cannot make a program in memory: {error.strerror}; `sysctl vm.memfd_noexec=0` allows it, "
                "or use the docker unpacker"
            ) from None
        descriptor = check(load_libc().memfd_create(name, ctypes.c_uint(flags)))
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fchmod(descriptor, 0o555)
        fcntl.fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def execute_descriptor(descriptor: int, argv: Sequence[bytes]) -> None:
    """Replace this process by the program in an open file, with an empty environment; see execveat(2)."""
    argument_array = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    environ_array = (ctypes.c_char_p * 1)(None)
    call(find_number("execveat"), descriptor, b"", argument_array, environ_array, AT_EMPTY_PATH)
