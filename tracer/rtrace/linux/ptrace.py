"""ptrace(2) by its own names: requests, options, events, and what a stopped tracee tells.

Numbers are from the kernel's ``include/uapi/linux/ptrace.h``. The calls go straight to the C library: python-ptrace's
own wrappers (and what they import, 45 ms) are not used, only its tables of numbers. What is kept here in buffers
belongs to the one thread that follows the tree: ptrace(2) answers no other.
"""

from __future__ import annotations

import ctypes
import struct
from typing import NamedTuple

from rtrace.linux.libc import last_error, load_libc

PTRACE_POKEDATA = 5
PTRACE_POKEUSER = 6
PTRACE_CONT = 7
PTRACE_GETREGS = 12
PTRACE_SETREGS = 13
PTRACE_DETACH = 17
PTRACE_SYSCALL = 24
PTRACE_SETOPTIONS = 0x4200
PTRACE_GETEVENTMSG = 0x4201
PTRACE_GETSIGINFO = 0x4202
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
PTRACE_O_TRACEEXIT = 0x40
PTRACE_O_TRACESECCOMP = 0x80
PTRACE_O_EXITKILL = 0x100000

PTRACE_EVENT_FORK = 1
PTRACE_EVENT_VFORK = 2
PTRACE_EVENT_CLONE = 3
PTRACE_EVENT_EXEC = 4
PTRACE_EVENT_EXIT = 6
PTRACE_EVENT_SECCOMP = 7
PTRACE_EVENT_STOP = 128

WALL = 0x40000000  # __WALL of wait(2): children that were cloned, too

_libc = load_libc()
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
call_ptrace = _libc.ptrace
"""ptrace(2) itself, with an address; -1 is an error, see ``last_error``."""


def ptrace(request: int, pid: int, data: int = 0) -> None:
    """Call ptrace(2) with no address; raise ProcessLookupError when the tracee is gone (it may be killed any time)."""
    if call_ptrace(request, pid, None, data) == -1:
        raise last_error(f"ptrace request {request:#x} to process {pid}")


_message = ctypes.c_ulong()
_message_address = ctypes.addressof(_message)


def read_event_message(pid: int) -> int:
    """Read the message of a ptrace event stop: the new process's id, or the former thread id after an exec."""
    if call_ptrace(PTRACE_GETEVENTMSG, pid, None, _message_address) == -1:
        raise last_error(f"PTRACE_GETEVENTMSG of process {pid}")
    return _message.value


class SyscallStop(NamedTuple):
    """A tracee stopped at a system call: at its entry, or at its exit when ``entering`` is false.

    ``result`` is what the call returned, at its exit; an error's number is negative.
    """

    entering: bool
    audit: int
    number: int
    arguments: list[int]
    result: int


SYSCALL_INFO = struct.Struct("=BxxxIQQQ6Q")  # struct ptrace_syscall_info: op, arch, ip, sp, {nr, args}
SYSCALL_INFO_ENTRIES = (1, 3)  # PTRACE_SYSCALL_INFO_ENTRY, PTRACE_SYSCALL_INFO_SECCOMP


def read_syscall(tid: int) -> SyscallStop:
    """Read the system call at which a tracee is stopped, whatever its architecture. Raises OSError."""
    buffer = ctypes.create_string_buffer(SYSCALL_INFO.size + 8)
    if call_ptrace(PTRACE_GET_SYSCALL_INFO, tid, len(buffer), ctypes.addressof(buffer)) == -1:
        raise last_error(f"PTRACE_GET_SYSCALL_INFO of process {tid}")
    operation, audit, _, _, number, *arguments = SYSCALL_INFO.unpack_from(buffer)
    result = number - (1 << 64) if number >> 63 else number  # {rval, is_error} in their place
    return SyscallStop(operation in SYSCALL_INFO_ENTRIES, audit, number & 0xFFFFFFFF, arguments, result)


INFO_HEAD = struct.Struct("=4xIQQ")  # the beginning of struct ptrace_syscall_info: op, arch, ip, sp
_info_head = ctypes.create_string_buffer(INFO_HEAD.size)
_info_head_address = ctypes.addressof(_info_head)


def read_interface(tid: int) -> tuple[int, int]:
    """Read the AUDIT_ARCH value and the stack pointer of the program in which a tracee is stopped.

    Raises OSError, before Linux 5.3 too.
    """
    if call_ptrace(PTRACE_GET_SYSCALL_INFO, tid, INFO_HEAD.size, _info_head_address) == -1:
        raise last_error(f"PTRACE_GET_SYSCALL_INFO of process {tid}")
    audit, _, stack = INFO_HEAD.unpack(_info_head)
    return audit, stack


SIGINFO = struct.Struct("=i4xi4xi")  # siginfo_t of sigaction(2): signo, (errno), code, pid
SIGINFO_BYTES = 128


def read_sender(tid: int) -> int:
    """Return who sent the signal for which a tracee is stopped, 0 for the kernel. Raises ProcessLookupError."""
    buffer = ctypes.create_string_buffer(SIGINFO_BYTES)
    if call_ptrace(PTRACE_GETSIGINFO, tid, None, ctypes.addressof(buffer)) == -1:
        raise last_error(f"PTRACE_GETSIGINFO of process {tid}")
    _, code, sender = SIGINFO.unpack_from(buffer)
    return 0 if code > 0 else int(sender)
