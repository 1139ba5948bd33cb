"""Start the command to be traced: seized by ptrace, under a filter, otherwise as the shell would have started it."""

from __future__ import annotations

import _thread
import contextlib
import errno
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple

from rtrace.capture.loop.command import Command
from rtrace.capture.loop.engines import BY_NAME, VARIABLE, TracingEngine
from rtrace.capture.processes.dispositions import ignored_at_start, restore_dispositions
from rtrace.capture.processes.own_limits import explain_limits, give_back
from rtrace.debugging import debug
from rtrace.errors import TracingRefusedError
from rtrace.linux.descriptors import take_descriptor
from rtrace.linux.execve import prepare_execve
from rtrace.linux.ptrace import (
    PTRACE_INTERRUPT,
    PTRACE_O_EXITKILL,
    PTRACE_O_TRACECLONE,
    PTRACE_O_TRACEEXEC,
    PTRACE_O_TRACEEXIT,
    PTRACE_O_TRACEFORK,
    PTRACE_O_TRACESECCOMP,
    PTRACE_O_TRACESYSGOOD,
    PTRACE_O_TRACEVFORK,
    PTRACE_SEIZE,
    WALL,
    ptrace,
)

SENDING = b"sender"
"""Asks the new process to send its listener, where the tracer cannot take it."""
SEIZE_OPTIONS = (
    PTRACE_O_TRACEFORK
    | PTRACE_O_TRACEVFORK
    | PTRACE_O_TRACECLONE
    | PTRACE_O_TRACEEXEC
    | PTRACE_O_TRACESECCOMP
    | PTRACE_O_TRACESYSGOOD
    | PTRACE_O_EXITKILL
)
FIRST_OPTIONS = SEIZE_OPTIONS | PTRACE_O_TRACEEXIT
"""Of a run's first process, which is asked what it took when it is about to end; its children inherit that."""


def execute(command: Command) -> int:
    """Execute the command; return only when the kernel refuses, with the error's number."""
    call_execve = prepare_execve(command.binary, command.argv, command.environ)
    give_back(command.limits)  # at the very last: no memory may be left under them
    return call_execve()


class Courier:
    """A thread outside the filter that this thread is about to enter; it sends the filter's listener to the tracer.

    Nobody would answer a notification of sendmsg(2) yet. It ends at the latest when the process executes a program.
    """

    def __init__(self, channel: socket.socket) -> None:
        """Start it; raise RuntimeError if the system allows no more threads."""
        self.channel = channel
        self.message = b""
        self.listener = -1
        self.wanted, self.done = _thread.allocate_lock(), _thread.allocate_lock()
        self.wanted.acquire()
        self.done.acquire()
        _thread.start_new_thread(self._carry, ())

    def _carry(self) -> None:
        with self.wanted:
            if self.listener >= 0:
                socket.send_fds(self.channel, [self.message], [self.listener])
        self.done.release()

    def send(self, message: bytes, listener: int) -> None:
        """Let it send a message with a descriptor, nothing if that is -1, and wait until it has."""
        self.message, self.listener = message, listener
        self.wanted.release()
        self.done.acquire()


def _enter_filter(programs: Mapping[TracingEngine, bytes], channel: socket.socket, courier: Courier | None) -> None:
    """In the new process: enter the best engine that works, and tell which.

    After its name comes its listener, then the name and the error of each engine that was refused. Raises OSError if
    every engine is refused.
    """
    refused = b""
    for engine, program in programs.items():
        name = engine.name.encode()
        try:
            listener = engine.enter(program)
        except OSError as error:
            refusal = error
            refused += b" %s %d" % (name, error.errno or 0)
            continue
        if courier is not None and engine.listens:
            courier.send(b"%s -1" % name + refused, listener)
        else:
            os.write(channel.fileno(), b"%s %d" % (name, listener) + refused)
        return
    raise refusal


def _become_tracee(
    command: Command, programs: Mapping[TracingEngine, bytes], channel: socket.socket, ignored: frozenset[int]
) -> None:
    """In the new process: wait to be seized, enter the best engine that works, tell it, execute when told to.

    Under its filter it may only make calls that the filter lets through: nobody would answer a notification yet.
    """
    try:
        courier = None
        if channel.recv(6) == SENDING:
            try:
                courier = Courier(channel)
            except RuntimeError:  # RLIMIT_NPROC
                programs = {engine: program for engine, program in programs.items() if not engine.listens}
            channel.send(b"ready")
            channel.recv(6)
        if command.freeze is not None:
            from rtrace.freezing.starting import enter_freeze

            enter_freeze(command.freeze)
        if programs:
            _enter_filter(programs, channel, courier)
        else:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if channel.recv(2) != b"go":
            os._exit(126)
        restore_dispositions(ignored)
        os.write(channel.fileno(), b"execve %d" % execute(command))
    except OSError as error:
        os.write(channel.fileno(), b"refused %d" % (error.errno or 0))
    finally:
        os._exit(126)


class Launched(NamedTuple):
    """A process that waits to execute the command: its id, its engine, its filter's listener (-1 without one).

    ``channel`` lets it execute at ``go``; it says ``execve N`` if the kernel refuses the file with errno N, and closes
    when it does not.
    """

    pid: int
    engine: TracingEngine
    listener: int
    channel: socket.socket


def launch(command: Command, programs: Mapping[TracingEngine, bytes], fork: Callable[[], int] = os.fork) -> Launched:
    """Start the process of a command under the first engine that works here; ``programs`` has the filter of each.

    Raises TracingRefusedError where ptrace or seccomp is refused; nothing has been run then.
    """
    ignored = ignored_at_start()
    ours, theirs = socket.socketpair()
    try:
        pid = fork()
    except BlockingIOError as error:  # EAGAIN: RLIMIT_NPROC
        raise TracingRefusedError(
            f"cannot start a process ({error.strerror}{explain_limits()}); raise the limit, or end other processes"
        ) from None
    if pid == 0:
        ours.close()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL):
                signal.signal(number, signal.SIG_DFL)
        _become_tracee(command, programs, theirs, ignored)
    if any(engine.listens for engine in programs) and not may_take_descriptors(pid, theirs.fileno()):
        debug(__name__, "descriptors cannot be copied from another process (pidfd_getfd): the listener is sent")
        ours.send(SENDING)
        ours.recv(5)
    theirs.close()
    try:
        ptrace(PTRACE_SEIZE, pid, FIRST_OPTIONS)
    except OSError as error:
        tracer = read_tracer(pid)  # before the process hears that it is not wanted: one that ends has no tracer
        ours.close()
        _reap(pid)
        raise TracingRefusedError(explain_refusal(error, tracer)) from None
    ours.send(b"filter")
    message, descriptors, _, _ = socket.recv_fds(ours, 64, 1)
    word, number_text, *refused = message.decode().split() or ("", "")
    engine = BY_NAME.get(word)
    if engine is None or engine not in programs:
        ours.close()
        _reap(pid)
        reason = os.strerror(int(number_text)) if number_text else "the process ended"
        raise TracingRefusedError(
            f"the kernel does not let rtrace watch system calls ({reason}); unset {VARIABLE}, or in a container use a "
            "seccomp profile that allows seccomp and ptrace"
        )
    if engine.stops_at_every_call:  # from here on it stops at every call
        ptrace(PTRACE_INTERRUPT, pid)
    listener = -1
    if engine.listens:
        (listener,) = descriptors or (take_descriptor(pid, int(number_text)),)
    for name, code in zip(refused[::2], refused[1::2], strict=True):
        debug(__name__, "the engine %s was refused (%s)", name, os.strerror(int(code)))
    debug(__name__, "the program waits under the engine %s", engine.name)
    return Launched(pid, engine, listener, ours)


def may_take_descriptors(pid: int, number: int) -> bool:
    """Whether a descriptor of a child can be copied: containers allow ptrace(2), and refuse pidfd_getfd(2)."""
    try:
        os.close(take_descriptor(pid, number))
    except OSError:
        return False
    return True


def read_tracer(pid: int) -> int:
    """Return the id of the process that traces a process already, 0 when none does; TracerPid of proc(5)."""
    with contextlib.suppress(OSError, ValueError, StopIteration), open(f"/proc/{pid}/status", "rb") as file:
        return int(next(line for line in file if line.startswith(b"TracerPid:")).split()[1])
    return 0


def explain_refusal(error: OSError, tracer: int) -> str:
    """Return why ptrace was refused, and which setting to change."""
    if tracer:
        return (
            f"rtrace is itself being traced, by process {tracer}, and a process has one tracer only; run it outside of "
            "the other rtrace, strace or debugger"
        )
    with contextlib.suppress(OSError), open("/proc/sys/kernel/yama/ptrace_scope", "rb") as file:
        scope = file.read().strip()
        if scope in (b"2", b"3"):
            return (
                f"the kernel does not let rtrace trace (kernel.yama.ptrace_scope is {scope.decode()}); "
                "`sudo sysctl kernel.yama.ptrace_scope=1` allows it until the next boot"
            )
    return (
        f"the kernel does not let rtrace trace ({error.strerror}); in a container add the capability SYS_PTRACE "
        "(docker run --cap-add=SYS_PTRACE)"
    )


def _reap(pid: int) -> None:
    """End and wait for a process of ours that was never allowed to begin."""
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, WALL)
