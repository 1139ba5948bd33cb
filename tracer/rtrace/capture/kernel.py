"""The kernel's interfaces that a tracer needs: ptrace(2), seccomp(2), seccomp_unotify(2), by their own names.

Numbers are from the kernel's ``include/uapi/linux/{ptrace,seccomp,audit,prctl,fcntl}.h``. The calls go straight to
the C library: python-ptrace's own wrappers (and what they import, 45 ms) are not used, only its tables of numbers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

PTRACE_POKEUSER = 6
PTRACE_CONT = 7
PTRACE_SYSCALL = 24
PTRACE_GETEVENTMSG = 0x4201
PTRACE_SETREGSET = 0x4205
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_LISTEN = 0x4208
PTRACE_GET_SYSCALL_INFO = 0x420E  # Linux 5.3

PTRACE_O_TRACESYSGOOD = 0x1
PTRACE_O_TRACEFORK = 0x2
PTRACE_O_TRACEVFORK = 0x4
PTRACE_O_TRACECLONE = 0x8
PTRACE_O_TRACEEXEC = 0x10
PTRACE_O_TRACESECCOMP = 0x80
PTRACE_O_EXITKILL = 0x100000

PTRACE_EVENT_FORK = 1
PTRACE_EVENT_VFORK = 2
PTRACE_EVENT_CLONE = 3
PTRACE_EVENT_EXEC = 4
PTRACE_EVENT_SECCOMP = 7
PTRACE_EVENT_STOP = 128

WALL = 0x40000000  # __WALL of wait(2): children that were cloned, too

PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32  # Linux 5.19

SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_RET_TRACE = 0x7FF00000
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_ALLOW = 0x7FFF0000

SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104
SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1  # Linux 6.6
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1  # Linux 5.5

FICLONE = 0x40049409  # ioctl_ficlone(2)

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
libc.syscall.restype = ctypes.c_long

SECCOMP_NUMBER = {"x86_64": 317, "i386": 354, "i686": 354, "aarch64": 277}
"""seccomp(2)'s own number, which the C library has no wrapper for, by machine of uname(2)."""


def last_error(doing: str) -> OSError:
    """Make an OSError of the C library's errno, its text telling what was being done."""
    number = ctypes.get_errno()
    return OSError(number, f"{doing}: {os.strerror(number)}")


def ptrace(request: int, pid: int, data: int = 0) -> None:
    """Call ptrace(2) with no address; raise ProcessLookupError when the tracee is gone (it may be killed any time)."""
    if libc.ptrace(request, pid, None, data) == -1:
        raise last_error(f"ptrace request {request:#x} to process {pid}")


def read_event_message(pid: int) -> int:
    """Read the message of a ptrace event stop: the new process's id, or the former thread id after an exec."""
    message = ctypes.c_ulong()
    if libc.ptrace(PTRACE_GETEVENTMSG, pid, None, ctypes.addressof(message)) == -1:
        raise last_error(f"PTRACE_GETEVENTMSG of process {pid}")
    return message.value


@dataclass(frozen=True, slots=True)
class SyscallStop:
    """A tracee stopped at a system call: at its entry, or at its exit when ``entering`` is false."""

    entering: bool
    audit: int
    number: int
    arguments: list[int]


SYSCALL_INFO = struct.Struct("=BxxxIQQQ6Q")  # struct ptrace_syscall_info: op, arch, ip, sp, {nr, args}
SYSCALL_INFO_ENTRIES = (1, 3)  # PTRACE_SYSCALL_INFO_ENTRY, PTRACE_SYSCALL_INFO_SECCOMP


def read_syscall(tid: int) -> SyscallStop:
    """Read the system call at which a tracee is stopped, whatever its architecture. Raises OSError."""
    buffer = ctypes.create_string_buffer(SYSCALL_INFO.size + 8)
    if libc.ptrace(PTRACE_GET_SYSCALL_INFO, tid, len(buffer), ctypes.addressof(buffer)) == -1:
        raise last_error(f"PTRACE_GET_SYSCALL_INFO of process {tid}")
    operation, audit, _, _, number, *arguments = SYSCALL_INFO.unpack_from(buffer)
    return SyscallStop(operation in SYSCALL_INFO_ENTRIES, audit, number & 0xFFFFFFFF, arguments)


NUMBER_OFFSET = {"x86_64": 15 * 8, "i686": 11 * 4}
"""Where struct user holds a stopped call's number, in bytes (ORIG_RAX, ORIG_EAX of sys/reg.h), by machine."""
NT_ARM_SYSTEM_CALL = 0x404


def skip_syscall(tid: int) -> None:
    """Let a tracee that is stopped at a call's entry get ENOSYS for it: the call's number becomes -1."""
    machine = os.uname().machine
    if machine in NUMBER_OFFSET:
        result = libc.ptrace(PTRACE_POKEUSER, tid, NUMBER_OFFSET[machine], -1)
    else:
        number = ctypes.c_int(-1)
        vector = (ctypes.c_void_p * 2)(ctypes.addressof(number), ctypes.sizeof(number))
        result = libc.ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, ctypes.addressof(vector))
    if result == -1:
        raise last_error(f"skipping a call of process {tid}")


def install_filter(program: bytes, *, listening: bool) -> int:
    """Put this thread under a seccomp filter; return its listener's descriptor, -1 when it is to have none.

    ``program`` is a sequence of ``struct sock_filter``. A process without CAP_SYS_ADMIN must first give up gaining
    privileges by execve (PR_SET_NO_NEW_PRIVS), see seccomp(2). Raises OSError with the kernel's reason.
    """
    code = ctypes.create_string_buffer(program, len(program))
    header = (ctypes.c_ulong * 2)(len(program) // 8, ctypes.addressof(code))
    number = SECCOMP_NUMBER[os.uname().machine]
    if os.geteuid() != 0:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    listener = SECCOMP_FILTER_FLAG_NEW_LISTENER
    for flags in (listener | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, listener) if listening else (0,):
        for _ in range(2):
            result: int = libc.syscall(number, SECCOMP_SET_MODE_FILTER, flags, header)
            if result >= 0:
                return result if listening else -1
            if ctypes.get_errno() != errno.EACCES:
                break
            libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # root without CAP_SYS_ADMIN, as in a container
    raise last_error("seccomp filter")
