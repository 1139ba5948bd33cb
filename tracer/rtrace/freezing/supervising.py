"""Trace a frozen program that nobody else traces: its stops are taken and answered, until its last process has ended.

a call of the filter      event SECCOMP: answered, or made and SIGTRAP|0x80 at its exit
a birth                   event FORK, VFORK or CLONE; the child's first stop, event STOP, may come before it
an execution              event EXEC
a signal, a group's stop  passed on; left stopped until SIGCONT
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from rtrace.freezing.calls import name_calls
from rtrace.freezing.tree import FrozenTree, is_thread_of
from rtrace.freezing.turns import Turns, is_waiting
from rtrace.freezing.waiting import Finish
from rtrace.linux.interfaces import AUDIT_ARCHITECTURES, own_interface
from rtrace.linux.ptrace import (
    PTRACE_CONT,
    PTRACE_EVENT_CLONE,
    PTRACE_EVENT_EXEC,
    PTRACE_EVENT_FORK,
    PTRACE_EVENT_SECCOMP,
    PTRACE_EVENT_STOP,
    PTRACE_EVENT_VFORK,
    PTRACE_LISTEN,
    PTRACE_O_EXITKILL,
    PTRACE_O_TRACECLONE,
    PTRACE_O_TRACEEXEC,
    PTRACE_O_TRACEFORK,
    PTRACE_O_TRACESECCOMP,
    PTRACE_O_TRACESYSGOOD,
    PTRACE_O_TRACEVFORK,
    PTRACE_SEIZE,
    PTRACE_SYSCALL,
    WALL,
    ptrace,
    read_event_message,
    read_interface,
    read_syscall,
)

OPTIONS = (
    PTRACE_O_TRACEFORK
    | PTRACE_O_TRACEVFORK
    | PTRACE_O_TRACECLONE
    | PTRACE_O_TRACEEXEC
    | PTRACE_O_TRACESECCOMP
    | PTRACE_O_TRACESYSGOOD
    | PTRACE_O_EXITKILL
)
BIRTHS = (PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK, PTRACE_EVENT_CLONE)
STOP_SIGNALS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
STOPPED = 0x7F  # the low byte of a stop's wait status, see WIFSTOPPED of wait(2)
SYSCALL_SIGNAL = signal.SIGTRAP | 0x80
PAUSE = 0.0005
"""Seconds between two looks at who is running, while somebody is held."""


class Supervisor:
    """Follows one frozen tree; to be used by the thread that seized it."""

    def __init__(self, first: int, make_tree: Callable[[int], FrozenTree], order: int = 0) -> None:
        """Seize a process that waits; newborn threads and processes begin in an order of `Turns`.

        Raises OSError where that is refused.
        """
        ptrace(PTRACE_SEIZE, first, OPTIONS)
        self.tree = make_tree(first)
        interface = own_interface()
        self.audit = AUDIT_ARCHITECTURES[interface]
        self.names = name_calls(interface, traced=False)
        self.turns = Turns(order)
        self.finishing: dict[int, Finish] = {}
        self.fresh: set[int] = set()
        """Children whose birth was told, and who have not stopped yet."""
        self.spawned: set[int] = set()
        """Children of vfork(2), whose parents wait: they are held when they have executed a program."""
        self.unborn: set[int] = set()
        """Children that have stopped before their birth was told: they wait for it."""
        self.halted: set[int] = set()
        """Those that a signal has stopped until SIGCONT."""

    def follow(self) -> None:
        """Answer until nobody is left."""
        while True:
            try:
                tid, status = os.waitpid(-1, WALL | (os.WNOHANG if self.turns else 0))
            except ChildProcessError:
                return
            if tid:
                try:
                    self.take(tid, status)
                except ProcessLookupError:  # killed at any time, also while it is stopped
                    continue
            elif not self.let_begin():
                time.sleep(PAUSE)

    def let_begin(self) -> bool:
        """Let those begin whose turn it is; return whether there are any."""
        ready = self.turns.take(self.is_quiet())
        for tid in ready:
            try:
                ptrace(PTRACE_CONT, tid)
            except ProcessLookupError:
                continue
        return bool(ready)

    def is_quiet(self) -> bool:
        """Whether nobody who has begun is running; asked when no stop is left to be taken."""
        return all(self.turns.is_held(tid) or tid in self.halted or is_waiting(tid) for tid in self.tree.threads)

    def take(self, tid: int, status: int) -> None:
        """Take an answer of waitpid(2): a stop, after which the thread goes on, or an end."""
        if status & 0xFF != STOPPED:
            self.finishing.pop(tid, None)
            self.unborn.discard(tid)
            self.fresh.discard(tid)
            self.spawned.discard(tid)
            self.halted.discard(tid)
            self.turns.forget(tid)
            self.tree.take_end(tid)
            return
        event, number = status >> 16, status >> 8 & 0xFF
        if event in BIRTHS:
            self.take_birth(tid, event)
        elif event == PTRACE_EVENT_EXEC:
            self.take_execution(tid)
            if tid in self.spawned:
                self.spawned.discard(tid)
                self.turns.hold(tid)
                return
        elif event == PTRACE_EVENT_STOP:
            if tid not in self.tree.threads:
                self.unborn.add(tid)
                return
            if tid in self.fresh:
                self.fresh.discard(tid)
                self.turns.hold(tid)
                return
            if number in STOP_SIGNALS:
                self.halted.add(tid)
                ptrace(PTRACE_LISTEN, tid)
                return
            self.halted.discard(tid)
        elif event == PTRACE_EVENT_SECCOMP or (event == 0 and number == SYSCALL_SIGNAL):
            self.take_call(tid)
            number = 0
        ptrace(PTRACE_SYSCALL if tid in self.finishing else PTRACE_CONT, tid, 0 if event else number)

    def take_birth(self, tid: int, event: int) -> None:
        """Add the child of a parent that is stopped for its birth, and let it go on if it waits for that."""
        child = read_event_message(tid)
        tgid = self.tree.threads[tid].process.tgid
        self.tree.take_birth(tid, child, is_thread=event == PTRACE_EVENT_CLONE and is_thread_of(tgid, child))
        if child in self.unborn:
            self.unborn.discard(child)
            if event == PTRACE_EVENT_VFORK:
                ptrace(PTRACE_CONT, child)
            else:
                self.turns.hold(child)
        elif event != PTRACE_EVENT_VFORK:
            self.fresh.add(child)
        if event == PTRACE_EVENT_VFORK:
            self.spawned.add(child)

    def take_execution(self, tid: int) -> None:
        """Freeze a new program, if it is one of 64 bits of this machine's own kind."""
        former = read_event_message(tid)
        self.finishing.pop(former, None)
        audit, stack = read_interface(tid)
        if audit == self.audit:
            self.tree.take_execution(tid, former, stack)

    def take_call(self, tid: int) -> None:
        """Answer a call, or finish it."""
        finish = self.finishing.pop(tid, None)
        stop = read_syscall(tid)
        if not stop.entering:
            if finish is not None:
                try:
                    finish(stop.result)
                except (OSError, OverflowError):  # its memory went while the call was made
                    return
            return
        name = self.names.get(stop.number) if stop.audit == self.audit else None
        wish = None if name is None else self.tree.take_call(tid, name, stop.arguments)
        if wish is not None:
            self.finishing[tid] = wish
