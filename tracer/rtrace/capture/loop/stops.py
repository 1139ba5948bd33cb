"""The stops of ptrace(2): births, executions, signals, job control; and calls, where no listener hears of them.

a thread is born      parent: event FORK, VFORK or CLONE      child: its first stop, event STOP
it executes           event EXEC, in the new program
it gets a signal      a stop with that signal, which is passed on
its group is stopped  event STOP with a stop signal: it is left stopped (PTRACE_LISTEN) until SIGCONT
it is about to end    event EXIT, of the run's first process alone
it makes a call       engine seccomp: event SECCOMP          engine stops: SIGTRAP|0x80 at entry and exit
one that is awaited   event SECCOMP in notify, too           SIGTRAP|0x80 at its exit in every engine
it ends               a wait status that is no stop
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, NamedTuple

from rtrace.capture.calls.execution import note_execution
from rtrace.capture.calls.recorder import Recorder
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.loop.call_stops import hides, is_fstat, keep_traced
from rtrace.capture.loop.deliveries import Deliveries
from rtrace.capture.loop.engines import TracingEngine
from rtrace.capture.loop.launch import SEIZE_OPTIONS
from rtrace.capture.loop.process_tree import ProcessTree
from rtrace.capture.loop.restarts import restart_interrupted_call
from rtrace.capture.processes.usage import NOTHING, LastWords, make_row, read_last_words
from rtrace.linux.credentials import may_look_into_all
from rtrace.linux.interfaces import WIDE_POINTER, X32_BIT, X32_END
from rtrace.linux.libc import PR_SET_DUMPABLE
from rtrace.linux.ptrace import (
    PTRACE_CONT,
    PTRACE_DETACH,
    PTRACE_EVENT_CLONE,
    PTRACE_EVENT_EXEC,
    PTRACE_EVENT_EXIT,
    PTRACE_EVENT_FORK,
    PTRACE_EVENT_SECCOMP,
    PTRACE_EVENT_STOP,
    PTRACE_EVENT_VFORK,
    PTRACE_INTERRUPT,
    PTRACE_LISTEN,
    PTRACE_SETOPTIONS,
    PTRACE_SYSCALL,
    ptrace,
    read_event_message,
    read_interface,
    read_syscall,
)
from rtrace.linux.registers import (
    HAS_REGISTERS,
    ReplacedCall,
    replace_call,
    restore_call,
    skip_syscall,
)

if TYPE_CHECKING:
    from resource import struct_rusage

STOP_SIGNALS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
STOPPED = 0x7F  # the low byte of a stop's wait status, see WIFSTOPPED of wait(2)
SYSCALL_SIGNAL = signal.SIGTRAP | 0x80  # with PTRACE_O_TRACESYSGOOD
FORK_EVENTS = (PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK, PTRACE_EVENT_CLONE)


class Locked(NamedTuple):
    """A program that the tracer may not look into yet: its first stack pointer, and its pointers' size in bytes.

    ``first`` is its first call, while another is made in its place.
    """

    stack: int
    word: int
    first: ReplacedCall | None = None


class StopHandler:
    """Takes the stops of a tree, and lets each stopped thread go on."""

    def __init__(
        self,
        deliveries: Deliveries,
        engine: TracingEngine,
        architectures: dict[int, Architecture],
        recorder: Recorder,
        tree: ProcessTree,
    ) -> None:
        """Follow the tree of the process that ``deliveries`` watches; ``architectures`` are by AUDIT_ARCH value."""
        self.main = deliveries.main
        self.deliveries = deliveries
        self.main_status: int | None = None
        self.resume = PTRACE_SYSCALL if engine.stops_at_every_call else PTRACE_CONT
        self.architectures = architectures
        self.recorder = recorder
        self.context = recorder.context
        self.tree = tree
        self.tracees = tree.tracees
        self.listening = engine.listens
        self.last_words: LastWords = NOTHING
        # Ends told before the birth; without one, nothing of it ever ran.
        self.early: dict[int, tuple[int, struct_rusage]] = {}
        self.met: set[int] = set()
        self.detaching = False
        self.locked: dict[int, Locked] = {}
        self.exposing = engine.stops_at_every_call and not may_look_into_all()

    def take(self, tid: int, status: int, usage: struct_rusage) -> None:
        """Take one answer of wait4(2): a stop, after which the thread goes on, or an end."""
        if status & 0xFF == STOPPED:
            try:  # noqa: SIM105 - contextlib.suppress takes a microsecond
                self._take_stop(tid, status >> 16, status >> 8 & 0xFF)
            except ProcessLookupError:  # killed at any time, also while it is stopped
                pass
            return
        self.context.moving.discard(tid)
        self.locked.pop(tid, None)
        if tid in self.tracees:
            self.tree.ended(tid, status, make_row(usage, self.last_words if tid == self.main else NOTHING))
        else:
            self.early[tid] = status, usage
        if tid == self.main:
            self.main_status = status

    def let_go(self) -> None:
        """Detach from every thread at its next stop, and make each one stop now."""
        self.detaching = True
        for tid in self.tracees:
            with contextlib.suppress(ProcessLookupError):
                ptrace(PTRACE_INTERRUPT, tid)

    def _take_stop(self, tid: int, event: int, signal_number: int) -> None:
        if self.detaching:
            locked = self.locked.pop(tid, None)
            if locked is not None and locked.first is not None:
                restore_call(tid, locked.first)
            ptrace(PTRACE_DETACH, tid, 0 if event else signal_number)
            if event not in FORK_EVENTS:
                self.tree.ended(tid, 0)
            return
        if tid not in self.tracees:  # a child's first stop, before its parent's event or in place of it
            self.tree.find(tid)
            self.met.add(tid)
        if event in FORK_EVENTS:
            self._take_birth(tid, event)
        elif event == PTRACE_EVENT_EXEC:
            self._take_execution(tid)
        elif event == PTRACE_EVENT_STOP:
            if tid == self.main:
                self.deliveries.stopped = signal_number in STOP_SIGNALS
            else:
                ptrace(PTRACE_SETOPTIONS, tid, SEIZE_OPTIONS)
            if signal_number in STOP_SIGNALS:
                ptrace(PTRACE_LISTEN, tid)
                return
        elif event == PTRACE_EVENT_EXIT:
            if tid == self.main:
                self.last_words = read_last_words(tid)
        elif event == PTRACE_EVENT_SECCOMP or (event == 0 and signal_number == SYSCALL_SIGNAL):
            if tid in self.locked:
                self._unlock(tid)
            else:
                self._take_call(tid)
            signal_number = 0
        elif event == 0:
            signal_number = self._take_signal(tid, signal_number)
        tracee = self.tracees.get(tid)
        awaits_call = tid in self.locked or (tracee is not None and tracee.awaited is not None)
        resume = PTRACE_SYSCALL if awaits_call else self.resume
        ptrace(resume, tid, 0 if event else signal_number)

    def _take_signal(self, tid: int, number: int) -> int:
        """Have a call restarted that a signal interrupted; return the signal to go on with, 0 for no signal."""
        if self.listening:
            with contextlib.suppress(OSError):  # what cannot be looked at is left as the kernel does it
                restart_interrupted_call(self.context, self.tracees[tid], self.architectures)
        tgid = self.tracees[tid].process.tgid
        if number == signal.SIGCHLD or (tgid != self.main and self.main_status is None):
            return number
        return self.deliveries.take(tid, tgid, number)

    def _take_execution(self, tid: int) -> None:
        """Note the program that a thread has begun, and tell when rtrace has no table for its interface."""
        tracee = self.tree.replaced(tid, read_event_message(tid))
        try:
            audit, stack = read_interface(tid)
        except ProcessLookupError:
            raise
        except OSError:  # before Linux 5.3 the kernel does not tell
            audit, stack = 0, 0
        architecture = self.architectures.get(audit)
        word = WIDE_POINTER if architecture is None else architecture.word
        try:
            tracee.open_memory()
        except PermissionError:
            if HAS_REGISTERS and architecture is not None and architecture.prctl >= 0:
                self.locked[tid] = Locked(stack, word)
                return
        except OSError:  # told when the first call is looked at
            pass
        note_execution(self.context, tracee, stack, word)
        if architecture is None and audit:
            self.context.notices.add_unseen(self.context.program(tracee), audit)

    def _unlock(self, tid: int) -> None:
        """Make a program dumpable that may be executed and not read, by a call that it makes before its first one.

        Every process may do that to itself (PR_SET_DUMPABLE of prctl(2)); then a tracer without privileges may look.
        """
        locked = self.locked[tid]
        stop = read_syscall(tid)
        if locked.first is not None and not stop.entering:
            del self.locked[tid]
            restore_call(tid, locked.first)
            note_execution(self.context, self.tracees[tid], locked.stack, locked.word)
        elif stop.entering:
            prctl = self.architectures[stop.audit].prctl
            first = replace_call(tid, prctl, (PR_SET_DUMPABLE, 1, 0, 0, 0))
            self.locked[tid] = locked._replace(first=first)

    def _take_birth(self, tid: int, event: int) -> None:
        """Add the child of a parent that is stopped for its birth.

        The child may have been met before, at its first stop, and may even have ended meanwhile.
        """
        parent = self.tracees[tid]
        child = read_event_message(tid)
        if child in self.met:
            self.met.discard(child)
            return
        is_thread = event == PTRACE_EVENT_CLONE and os.path.exists(f"/proc/{parent.process.tgid}/task/{child}")
        self.tree.born(child, parent, is_thread=is_thread)
        if child in self.early:
            status, usage = self.early.pop(child)
            self.tree.ended(child, status, make_row(usage, NOTHING))

    def _take_call(self, tid: int) -> None:
        stop = read_syscall(tid)
        tracee = self.tracees[tid]
        if not stop.entering:
            self.recorder.finish(tracee, stop.result)
            return
        architecture = self.architectures.get(stop.audit)
        if architecture is None:
            return
        if architecture.name == "x86_64" and X32_BIT <= stop.number < X32_END:
            self.recorder.refuse_x32(tracee)
            skip_syscall(tid)
        elif stop.number in architecture.refused:
            skip_syscall(tid)
        elif self.exposing and hides(architecture, stop):
            skip_syscall(tid, 0)
        elif stop.number in architecture.calls and not is_fstat(architecture, stop):
            self.recorder.observe(tracee, architecture, stop.number, stop.arguments)
        elif stop.number in (architecture.clone, architecture.clone3):
            keep_traced(tracee, architecture, stop)
