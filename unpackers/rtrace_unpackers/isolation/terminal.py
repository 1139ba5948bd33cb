"""Keep a replayed program from typing into the terminal that it shares with the caller.

ioctl(2) with TIOCSTI or TIOCLINUX puts characters into a terminal's input, where the caller's shell reads them as
soon as the replay is over. A small seccomp filter refuses both with EPERM, for all of an architecture's ways to call.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from rtrace_unpackers.isolation.libc import control

TIOCSTI = 0x5412
TIOCLINUX = 0x541C
X32_BIT = 0x40000000

# The number of ioctl by AUDIT_ARCH of linux/audit.h: x86-64 (x32 has its own), i386, aarch64, arm, riscv64.
IOCTL_BY_ARCHITECTURE = (
    (0xC000003E, (16, X32_BIT | 16, X32_BIT | 514)),
    (0x40000003, (54,)),
    (0xC00000B7, (29,)),
    (0x40000028, (54,)),
    (0xC00000F3, (29,)),
)

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6] (little endian: low word first).
AT_NUMBER, AT_ARCHITECTURE, AT_REQUEST = 0, 4, 24
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


def build_filter() -> bytes:
    """Return the BPF program: architecture, then call number, then the low 32 bits of ioctl's second argument.

    The kernel, too, looks at the low 32 bits of the request only.
    """
    checks = b""
    for architecture, numbers in reversed(IOCTL_BY_ARCHITECTURE):
        body = instruction(LOAD, AT_NUMBER)
        for index, number in enumerate(numbers):
            # To the request's checks when it is ioctl; after the last number, past them to the end of the block.
            rest = len(numbers) - index - 1
            body += instruction(JUMP_IF_EQUAL, number, rest, 0 if rest else 4)
        body += instruction(LOAD, AT_REQUEST)
        body += instruction(JUMP_IF_EQUAL, TIOCSTI, 1, 0)
        body += instruction(JUMP_IF_EQUAL, TIOCLINUX, 0, 1)
        body += instruction(RETURN, RET_ERRNO | errno.EPERM)
        body += instruction(RETURN, RET_ALLOW)
        checks = instruction(JUMP_IF_EQUAL, architecture, 0, len(body) // 8) + body + checks
    return instruction(LOAD, AT_ARCHITECTURE) + checks + instruction(RETURN, RET_ALLOW)


def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Encode one ``struct sock_filter``."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def forbid_typing() -> None:
    """Install the filter for this process and its children; needs no_new_privs or CAP_SYS_ADMIN.

    A kernel without seccomp leaves the terminal as it is for every program.
    """
    code = build_filter()
    buffer = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer)))
    try:
        control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise OSError(error.errno, os.strerror(error.errno or 0)) from None
