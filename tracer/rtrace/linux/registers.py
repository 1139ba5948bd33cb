"""The registers and the memory of a stopped tracee: its call is skipped, changed, made another one, or restarted."""

from __future__ import annotations

import ctypes
import errno
from typing import NamedTuple

from rtrace.linux.interfaces import AUDIT_ARCHITECTURES, WIDE_POINTER, own_interface
from rtrace.linux.libc import last_error
from rtrace.linux.ptrace import (
    PTRACE_GETREGS,
    PTRACE_POKEDATA,
    PTRACE_POKEUSER,
    PTRACE_SETREGS,
    PTRACE_SETREGSET,
    call_ptrace,
)

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
            if call_ptrace(PTRACE_POKEUSER, tid, offset, value) == -1:
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
    if call_ptrace(PTRACE_SETREGSET, tid, kind, ctypes.addressof(vector)) == -1:
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
    elif call_ptrace(PTRACE_POKEUSER, tid, FIRST_ARGUMENT[interface, word], value) == -1:
        raise last_error(f"changing a call of process {tid}")


def write_word(tid: int, address: int, value: int) -> None:
    """Change a word, of this machine's size, in a stopped tracee's memory. Raises OSError."""
    if call_ptrace(PTRACE_POKEDATA, tid, address, value) == -1:
        raise last_error(f"writing memory of process {tid}")


RAX, ORIG_RAX, RIP, CS = 10, 15, 16, 17
NO_CALL = 0xFFFFFFFFFFFFFFFF  # -1 in ORIG_RAX: no call is to be restarted
WIDE_ARGUMENTS, NARROW_ARGUMENTS = (14, 13, 12, 7, 9, 8), (5, 11, 12, 13, 14, 4)
"""Indexes into x86-64's struct user_regs_struct (sys/user.h): a call's result, its number, the code segment, and the
arguments of 64-bit and of 32-bit programs."""
WIDE_SEGMENT = 0x33  # __USER_CS of the kernel's arch/x86/include/asm/segment.h: the code is 64-bit
HAS_REGISTERS = own_interface() == "x86_64"
_registers = (ctypes.c_ulong * 27)()
_registers_address = ctypes.addressof(_registers)


class InterruptedCall(NamedTuple):
    """The call that a tracee was in when a signal came; ``audit`` is the AUDIT_ARCH value of its interface."""

    audit: int
    number: int
    arguments: list[int]


def read_interrupted(tid: int, result: int) -> InterruptedCall | None:
    """Read which call returned ``result`` just before the signal for which a tracee is stopped; None if none did.

    Known on x86-64 only. Raises OSError.
    """
    if not HAS_REGISTERS:
        return None
    if call_ptrace(PTRACE_GETREGS, tid, None, _registers_address) == -1:
        raise last_error(f"PTRACE_GETREGS of process {tid}")
    if _registers[RAX] & 0xFFFFFFFF != result & 0xFFFFFFFF:
        return None
    wide = _registers[CS] == WIDE_SEGMENT
    mask = 0xFFFFFFFFFFFFFFFF if wide else 0xFFFFFFFF
    arguments = [_registers[index] & mask for index in (WIDE_ARGUMENTS if wide else NARROW_ARGUMENTS)]
    return InterruptedCall(
        AUDIT_ARCHITECTURES["x86_64" if wide else "i386"], _registers[ORIG_RAX] & 0xFFFFFFFF, arguments
    )


class ReplacedCall(NamedTuple):
    """A call that was made another one at its entry: the registers that it was about to be made with."""

    registers: tuple[int, ...]


def replace_call(tid: int, number: int, arguments: tuple[int, ...]) -> ReplacedCall:
    """Let a tracee that is stopped at a call's entry make another call, on x86-64; ``restore_call`` takes that back.

    ``arguments`` are as many as the call has. Raises OSError.
    """
    if call_ptrace(PTRACE_GETREGS, tid, None, _registers_address) == -1:
        raise last_error(f"PTRACE_GETREGS of process {tid}")
    before = ReplacedCall(tuple(_registers))
    indexes = WIDE_ARGUMENTS if _registers[CS] == WIDE_SEGMENT else NARROW_ARGUMENTS
    _registers[ORIG_RAX] = number
    for index, value in zip(indexes, arguments, strict=False):
        _registers[index] = value
    if call_ptrace(PTRACE_SETREGS, tid, None, _registers_address) == -1:
        raise last_error(f"PTRACE_SETREGS of process {tid}")
    return before


def restore_call(tid: int, replaced: ReplacedCall) -> None:
    """Let a tracee that is stopped at the exit of another call make its own one after all. Raises OSError.

    The instructions that enter the kernel have two bytes, and the kernel itself goes back by as many to restart a call.
    """
    _registers[:] = list(replaced.registers)
    _registers[RAX] = _registers[ORIG_RAX]
    _registers[ORIG_RAX] = NO_CALL
    _registers[RIP] -= 2
    if call_ptrace(PTRACE_SETREGS, tid, None, _registers_address) == -1:
        raise last_error(f"PTRACE_SETREGS of process {tid}")


def write_result(tid: int, result: int) -> None:
    """Change what a stopped tracee's last call returns, on x86-64. Raises OSError."""
    if call_ptrace(PTRACE_POKEUSER, tid, RAX * WIDE_POINTER, result) == -1:
        raise last_error(f"writing the result of process {tid}")
