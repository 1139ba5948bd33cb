"""The kernel's interfaces that a tracer needs: ptrace(2), seccomp(2), seccomp_unotify(2), by their own names.

Numbers are from the kernel's ``include/uapi/linux/{ptrace,seccomp,audit,prctl,fcntl}.h``. The calls go straight to
the C library: python-ptrace's own wrappers (and what they import, 45 ms) are not used, only its tables of numbers.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

PTRACE_POKEDATA = 5
PTRACE_POKEUSER = 6
PTRACE_CONT = 7
PTRACE_SYSCALL = 24
PTRACE_DETACH = 17
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

PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
CAP_SYS_PTRACE = 19  # linux/capability.h
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32  # Linux 5.19

SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_RET_TRACE = 0x7FF00000
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_ALLOW = 0x7FFF0000

SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104
SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1  # Linux 6.6
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1  # Linux 5.5

FICLONE = 0x40049409  # ioctl_ficlone(2)
SPLICE_F_NONBLOCK = 2  # splice(2)
WIDE_WORD = 8  # bytes of a pointer in a 64-bit program
POINTER = ctypes.sizeof(ctypes.c_void_p)

libc = ctypes.CDLL(None, use_errno=True)
"""Its buffers that are kept here belong to the one thread that follows the tree: ptrace(2) answers no other."""
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
libc.syscall.restype = ctypes.c_long
libc.tee.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint]
libc.tee.restype = ctypes.c_ssize_t

KCMP_FILE = 0
KCMP_NUMBER = {"x86_64": 312, "i386": 349, "aarch64": 272}

SECCOMP_NUMBER = {"x86_64": 317, "i386": 354, "aarch64": 277}
"""seccomp(2)'s own number, which the C library has no wrapper for, by interface."""


def own_interface() -> str:
    """Name the system call interface of this Python; for one that rtrace does not know, the machine of uname(2).

    What uname(2) says may be another's: setarch(8) changes it, and a 32-bit Python may run on a 64-bit kernel.
    """
    machine, wide = os.uname().machine, ctypes.sizeof(ctypes.c_void_p) == WIDE_WORD
    if machine in ("x86_64", "i386", "i486", "i586", "i686"):
        return "x86_64" if wide else "i386"
    return "aarch64" if wide and machine in ("aarch64", "armv8l") else machine


def last_error(doing: str) -> OSError:
    """Make an OSError of the C library's errno, its text telling what was being done."""
    number = ctypes.get_errno()
    return OSError(number, f"{doing}: {os.strerror(number)}")


def ptrace(request: int, pid: int, data: int = 0) -> None:
    """Call ptrace(2) with no address; raise ProcessLookupError when the tracee is gone (it may be killed any time)."""
    if libc.ptrace(request, pid, None, data) == -1:
        raise last_error(f"ptrace request {request:#x} to process {pid}")


_message = ctypes.c_ulong()
_message_address = ctypes.addressof(_message)


def read_event_message(pid: int) -> int:
    """Read the message of a ptrace event stop: the new process's id, or the former thread id after an exec."""
    if libc.ptrace(PTRACE_GETEVENTMSG, pid, None, _message_address) == -1:
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
    if libc.ptrace(PTRACE_GET_SYSCALL_INFO, tid, len(buffer), ctypes.addressof(buffer)) == -1:
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
    if libc.ptrace(PTRACE_GET_SYSCALL_INFO, tid, INFO_HEAD.size, _info_head_address) == -1:
        raise last_error(f"PTRACE_GET_SYSCALL_INFO of process {tid}")
    audit, _, stack = INFO_HEAD.unpack(_info_head)
    return audit, stack


NUMBER_OFFSET = {"x86_64": 15 * 8, "i386": 11 * 4}
"""Where struct user holds a stopped call's number, in bytes (ORIG_RAX, ORIG_EAX of sys/reg.h), by interface."""
NT_PRSTATUS, NT_ARM_SYSTEM_CALL = 1, 0x404


RESULT_OFFSET = {"x86_64": 10 * 8, "i386": 6 * 4}
"""Where struct user holds a call's result, in bytes (RAX, EAX of sys/reg.h), by the tracer's interface."""


def skip_syscall(tid: int, result: int = -errno.ENOSYS) -> None:
    """Let a tracee that is stopped at a call's entry get a result, ENOSYS, for it: the call's number becomes -1.

    On arm64 a skipped call leaves the register of its result as it was, which is also that of its first argument
    (el0_svc_common of the kernel's arch/arm64/kernel/syscall.c), so the result is written as well.
    """
    interface = own_interface()
    if interface in NUMBER_OFFSET:
        for offset, value in ((NUMBER_OFFSET[interface], -1), (RESULT_OFFSET[interface], result)):
            if libc.ptrace(PTRACE_POKEUSER, tid, offset, value) == -1:
                raise last_error(f"skipping a call of process {tid}")
        return
    write_registers(tid, NT_ARM_SYSTEM_CALL, (-1).to_bytes(4, "little", signed=True))
    try:  # the first register of a 32-bit program; a 64-bit one has none of that size
        write_registers(tid, NT_PRSTATUS, result.to_bytes(4, "little", signed=True))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        write_registers(tid, NT_PRSTATUS, result.to_bytes(8, "little", signed=True))


def write_registers(tid: int, kind: int, content: bytes) -> None:
    """Write the first bytes of one of a stopped tracee's register sets, and leave the rest alone. Raises OSError."""
    data = ctypes.create_string_buffer(content, len(content))
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(data), len(content))  # struct iovec
    if libc.ptrace(PTRACE_SETREGSET, tid, kind, ctypes.addressof(vector)) == -1:
        raise last_error(f"writing registers of process {tid}")


FIRST_ARGUMENT = {("x86_64", 8): 14 * 8, ("x86_64", 4): 5 * 8, ("i386", 4): 0}
"""Where struct user holds a call's first argument (RDI, RBX, EBX of sys/reg.h), in bytes, by the tracer's interface and
the pointer size of the program's."""


def write_first_argument(tid: int, word: int, value: int) -> None:
    """Change the first argument of the call at whose entry a tracee is stopped; its pointers have ``word`` bytes.

    Raises OSError.
    """
    interface = own_interface()
    if interface == "aarch64":
        write_registers(tid, NT_PRSTATUS, value.to_bytes(word, "little"))
    elif libc.ptrace(PTRACE_POKEUSER, tid, FIRST_ARGUMENT[interface, word], value) == -1:
        raise last_error(f"changing a call of process {tid}")


def write_word(tid: int, address: int, value: int) -> None:
    """Change a word, of this machine's size, in a stopped tracee's memory. Raises OSError."""
    if libc.ptrace(PTRACE_POKEDATA, tid, address, value) == -1:
        raise last_error(f"writing memory of process {tid}")


PTRACE_GETREGS, PTRACE_SETREGS = 12, 13
RAX, ORIG_RAX, RIP, CS = 10, 15, 16, 17
NO_CALL = 0xFFFFFFFFFFFFFFFF  # -1 in ORIG_RAX: no call is to be restarted
WIDE_ARGUMENTS, NARROW_ARGUMENTS = (14, 13, 12, 7, 9, 8), (5, 11, 12, 13, 14, 4)
"""Indexes into x86-64's struct user_regs_struct (sys/user.h): a call's result, its number, the code segment, and the
arguments of 64-bit and of 32-bit programs."""
WIDE_SEGMENT = 0x33  # __USER_CS of the kernel's arch/x86/include/asm/segment.h: the code is 64-bit
HAS_REGISTERS = own_interface() == "x86_64"
_registers = (ctypes.c_ulong * 27)()
_registers_address = ctypes.addressof(_registers)


class Interrupted(NamedTuple):
    """The call that a tracee was in when a signal came; ``audit`` is the AUDIT_ARCH value of its interface."""

    audit: int
    number: int
    arguments: list[int]


def read_interrupted(tid: int, result: int) -> Interrupted | None:
    """Read which call returned ``result`` just before the signal for which a tracee is stopped; None if none did.

    Known on x86-64 only. Raises OSError.
    """
    if not HAS_REGISTERS:
        return None
    if libc.ptrace(PTRACE_GETREGS, tid, None, _registers_address) == -1:
        raise last_error(f"PTRACE_GETREGS of process {tid}")
    if _registers[RAX] & 0xFFFFFFFF != result & 0xFFFFFFFF:
        return None
    wide = _registers[CS] == WIDE_SEGMENT
    mask = 0xFFFFFFFFFFFFFFFF if wide else 0xFFFFFFFF
    arguments = [_registers[index] & mask for index in (WIDE_ARGUMENTS if wide else NARROW_ARGUMENTS)]
    return Interrupted(0xC000003E if wide else 0x40000003, _registers[ORIG_RAX] & 0xFFFFFFFF, arguments)


class Expelled(NamedTuple):
    """A call that was made another one at its entry: the registers that it was about to be made with."""

    registers: tuple[int, ...]


def expel_call(tid: int, number: int, arguments: tuple[int, ...]) -> Expelled:
    """Let a tracee that is stopped at a call's entry make another call, on x86-64; ``recall`` takes that back.

    ``arguments`` are as many as the call has. Raises OSError.
    """
    if libc.ptrace(PTRACE_GETREGS, tid, None, _registers_address) == -1:
        raise last_error(f"PTRACE_GETREGS of process {tid}")
    before = Expelled(tuple(_registers))
    indexes = WIDE_ARGUMENTS if _registers[CS] == WIDE_SEGMENT else NARROW_ARGUMENTS
    _registers[ORIG_RAX] = number
    for index, value in zip(indexes, arguments, strict=False):
        _registers[index] = value
    if libc.ptrace(PTRACE_SETREGS, tid, None, _registers_address) == -1:
        raise last_error(f"PTRACE_SETREGS of process {tid}")
    return before


def recall(tid: int, expelled: Expelled) -> None:
    """Let a tracee that is stopped at the exit of another call make its own one after all. Raises OSError.

    The instructions that enter the kernel have two bytes, and the kernel itself goes back by as many to restart a call.
    """
    _registers[:] = list(expelled.registers)
    _registers[RAX] = _registers[ORIG_RAX]
    _registers[ORIG_RAX] = NO_CALL
    _registers[RIP] -= 2
    if libc.ptrace(PTRACE_SETREGS, tid, None, _registers_address) == -1:
        raise last_error(f"PTRACE_SETREGS of process {tid}")


@contextlib.contextmanager
def as_user_of(tid: int) -> Iterator[None]:
    """Be another thread's user to the kernel's checks of files, in this thread and for as long as the block runs.

    Root in a container may not look into a process that has become another user (ptrace(2), access mode checking), and
    that user may. Raises OSError when the thread is gone. See setfsuid(2).
    """
    with open(f"/proc/{tid}/status", "rb") as file:
        ids = [int(line.split()[2]) for line in file if line.startswith((b"Uid:", b"Gid:"))]
    libc.setfsgid(ids[1])
    libc.setfsuid(ids[0])
    try:
        yield
    finally:
        libc.setfsuid(os.geteuid())
        libc.setfsgid(os.getegid())


def may_look_into_all() -> bool:
    """Tell whether this process may look into others that do not want it: CAP_SYS_PTRACE, see capabilities(7)."""
    with open("/proc/self/status", "rb") as file:
        held = next((int(line.split()[1], 16) for line in file if line.startswith(b"CapEff:")), 0)
    return bool(held >> CAP_SYS_PTRACE & 1)


def write_result(tid: int, result: int) -> None:
    """Change what a stopped tracee's last call returns, on x86-64. Raises OSError."""
    if libc.ptrace(PTRACE_POKEUSER, tid, RAX * WIDE_WORD, result) == -1:
        raise last_error(f"writing the result of process {tid}")


PIDFD_OPEN, PIDFD_GETFD = 434, 438  # calls with the same number on every architecture


def take_descriptor(pid: int, number: int) -> int:
    """Copy a descriptor of a tracee into this process, see pidfd_getfd(2), Linux 5.6. Raises OSError."""
    process: int = libc.syscall(PIDFD_OPEN, pid, 0)
    if process < 0:
        raise last_error(f"pidfd_open of process {pid}")
    try:
        copy: int = libc.syscall(PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    if copy < 0:
        raise last_error(f"pidfd_getfd of process {pid}")
    return copy


def install_filter(program: bytes, *, listening: bool) -> int:
    """Put this thread under a seccomp filter; return its listener's descriptor, -1 when it is to have none.

    ``program`` is a sequence of ``struct sock_filter``. A process without CAP_SYS_ADMIN must first give up gaining
    privileges by execve (PR_SET_NO_NEW_PRIVS), see seccomp(2). Raises OSError with the kernel's reason.
    """
    code = ctypes.create_string_buffer(program, len(program))
    header = (ctypes.c_ulong * 2)(len(program) // 8, ctypes.addressof(code))
    number = SECCOMP_NUMBER[own_interface()]
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


def tee(source: int, target: int, count: int) -> int:
    """Copy what is in a pipe to another without taking it out; return how many bytes, 0 when that would have to wait.

    Raises OSError.
    """
    done: int = libc.tee(source, target, count, SPLICE_F_NONBLOCK)
    if done < 0:
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EPIPE):
            raise OSError(number, os.strerror(number))
        return 0
    return done


def are_one_file(one: int, other: int) -> bool:
    """Tell whether two descriptors are of one open file, which has one offset; False where kcmp(2) is not to be had."""
    process = os.getpid()
    return bool(libc.syscall(KCMP_NUMBER[own_interface()], process, process, KCMP_FILE, one, other) == 0)
