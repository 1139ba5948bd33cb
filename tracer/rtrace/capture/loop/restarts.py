"""Calls that a signal interrupts while they wait for the tracer; the program must not notice that they waited.

A call that waits for the answer to its notification can be interrupted until the notification is received. The kernel
then restarts it, unless the signal's handler was installed without SA_RESTART: then the call fails with EINTR, even one
that otherwise never does, such as open(2) of a regular file. At the stop for the signal the call's result still is
ERESTARTSYS. It is changed to ERESTARTNOINTR, and the kernel restarts the call whatever the handler says.

A call that was answered may be interrupted while it opens a FIFO or connects: that is left alone. See
signal(7) on interruption, and the kernel's include/linux/errno.h.
"""

from __future__ import annotations

import os
import stat

from rtrace.capture.calls.context import INT_MASK, Context
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.kernel.call_table import AT_FDCWD, Action, Call
from rtrace.capture.processes.tracee import Tracee
from rtrace.linux.registers import read_interrupted, write_result

ERESTARTSYS, ERESTARTNOINTR = 512, 513
OPENING = frozenset({Action.OPEN, Action.OPEN_HOW})
BLOCKING = (stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK)
TALKING = frozenset({Action.CONNECT, Action.SEND, Action.SEND_MESSAGE, Action.SEND_MESSAGES, Action.SOCKETCALL})


def restart_interrupted_call(context: Context, tracee: Tracee, architectures: dict[int, Architecture]) -> None:
    """Let a call be restarted that a signal interrupted before it was answered; its thread is stopped for the signal.

    ``architectures`` are by their AUDIT_ARCH value. Raises OSError when the thread is gone.
    """
    interrupted = read_interrupted(tracee.tid, -ERESTARTSYS)
    if interrupted is None:
        return
    architecture = architectures.get(interrupted.audit)
    call = None if architecture is None else architecture.calls.get(interrupted.number)
    if call is not None and not may_block(context, tracee, call, interrupted.number, interrupted.arguments):
        write_result(tracee.tid, -ERESTARTNOINTR)


def may_block(context: Context, tracee: Tracee, call: Call, number: int, arguments: list[int]) -> bool:
    """Whether an interrupted call may have been at work already, rather than waiting for the tracer."""
    if call.action in TALKING:
        return tracee.answered == (number, arguments[1])
    if call.action not in OPENING:
        return False
    path = tracee.read_string(arguments[call.path])
    dirfd = AT_FDCWD if call.dirfd is None else arguments[call.dirfd] & INT_MASK
    walk = context.walk(tracee, context.base(tracee, dirfd, path), path, follow=True)
    if walk is None or walk.missing is not None:
        return False
    return stat.S_IFMT(os.stat(walk.path).st_mode) in BLOCKING
