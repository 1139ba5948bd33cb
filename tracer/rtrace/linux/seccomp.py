"""seccomp(2) and seccomp_unotify(2): put this process under a filter, and be told of what it lets wait."""

from __future__ import annotations

import ctypes
import errno
import os

from rtrace.linux.bpf import INSTRUCTION
from rtrace.linux.interfaces import own_interface
from rtrace.linux.libc import PR_SET_SECCOMP, control, forbid_new_privileges, last_error, load_libc

SECCOMP_MODE_FILTER = 2
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32  # Linux 5.19

SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104
SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1  # Linux 6.6
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1  # Linux 5.5

SECCOMP_NUMBER = {"x86_64": 317, "i386": 354, "aarch64": 277, "arm": 383}
"""seccomp(2)'s own number by interface; the C library has no wrapper for it."""


def install_filter(program: bytes) -> None:
    """Put this thread, and the children that it will have, under a filter; needs no_new_privs. Raises OSError."""
    _code, header = lay_out(program)
    control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(header))


def install_watched_filter(program: bytes, *, listening: bool) -> int:
    """Put this thread under a filter that its tracer answers; return its listener's descriptor, -1 without one.

    A process without CAP_SYS_ADMIN gives up gaining privileges by execve (PR_SET_NO_NEW_PRIVS) first, see seccomp(2).
    Raises OSError with the kernel's reason.
    """
    _code, header = lay_out(program)
    number = SECCOMP_NUMBER[own_interface()]
    if os.geteuid() != 0:
        forbid_new_privileges()
    listener = SECCOMP_FILTER_FLAG_NEW_LISTENER
    for flags in (listener | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, listener) if listening else (0,):
        for _ in range(2):
            result: int = load_libc().syscall(number, SECCOMP_SET_MODE_FILTER, flags, header)
            if result >= 0:
                return result if listening else -1
            if ctypes.get_errno() != errno.EACCES:
                break
            forbid_new_privileges()  # root without CAP_SYS_ADMIN, as in a container
    raise last_error("seccomp filter")


def lay_out(program: bytes) -> tuple[ctypes.Array[ctypes.c_char], ctypes.Array[ctypes.c_ulong]]:
    """Return the instructions in memory, and the ``struct sock_fprog`` that points to them; keep both for the call."""
    code = ctypes.create_string_buffer(program, len(program))
    return code, (ctypes.c_ulong * 2)(len(program) // INSTRUCTION.size, ctypes.addressof(code))
