"""Calls at which a thread is stopped, judged as a filter judges them: does it hide, is it fstat, what does it make."""

from __future__ import annotations

from rtrace.capture.calls.context import INT_MASK
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.kernel.call_table import AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, CLONE_UNTRACED
from rtrace.capture.processes.tracee import Tracee
from rtrace.linux.interfaces import OWN_POINTER
from rtrace.linux.libc import PR_SET_DUMPABLE
from rtrace.linux.ptrace import SyscallStop
from rtrace.linux.registers import skip_syscall, write_first_argument, write_word


def hides(architecture: Architecture, stop: SyscallStop) -> bool:
    """Whether a call keeps a tracer without privileges from looking; see PR_SET_DUMPABLE of prctl(2)."""
    arguments = [argument & INT_MASK for argument in stop.arguments[:2]]
    return stop.number == architecture.prctl and arguments == [PR_SET_DUMPABLE, 0]


def keep_traced(tracee: Tracee, architecture: Architecture, stop: SyscallStop) -> None:
    """Take CLONE_UNTRACED out of a call that makes a child: ptrace would not tell of the child.

    A bad pointer is left to the kernel, which answers EFAULT. Where the flags cannot be changed there is no clone3(2).
    """
    flags = stop.arguments[0]
    if stop.number == architecture.clone:
        if flags & CLONE_UNTRACED:
            write_first_argument(tracee.tid, architecture.word, flags & ~CLONE_UNTRACED)
        return
    try:
        word = int.from_bytes(tracee.read(flags, OWN_POINTER), "little")  # clone_args begins with the flags
    except (OSError, OverflowError):
        return
    if word & CLONE_UNTRACED:
        try:
            write_word(tracee.tid, flags, word & ~CLONE_UNTRACED)
        except OSError:  # EIO: the memory is shared, and cannot be written
            skip_syscall(tracee.tid)


def is_fstat(architecture: Architecture, stop: SyscallStop) -> bool:
    """Whether a call is the C library's fstat(3), which the filter would have let through."""
    flags = architecture.fstat_aliases.get(stop.number)
    if flags is None:
        return False
    meaning = stop.arguments[flags] & INT_MASK & ~AT_NO_AUTOMOUNT
    return meaning == AT_EMPTY_PATH and stop.arguments[0] & INT_MASK != AT_FDCWD
