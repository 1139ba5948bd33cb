"""The tracer's loop: ptrace follows the process tree, seccomp notifications carry the system calls.

    listener readable -> receive a notification -> Recorder.observe -> answer "continue"
    SIGCHLD           -> wait for every stopped or ended tracee -> handle the stop -> let it go on

No system call ever stops under ptrace; a tracee stops when it is born, executes, forks, gets a signal, and ends. See
ptrace(2), seccomp_unotify(2).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
from collections.abc import Callable

from rtrace.capture import kernel
from rtrace.capture.architecture import Architecture
from rtrace.capture.bpf import ENOSYS, X32_BIT
from rtrace.capture.execution import note_execution
from rtrace.capture.journal import FLUSH_SECONDS
from rtrace.capture.recorder import Recorder
from rtrace.capture.tracee import Tracee
from rtrace.capture.tree import ProcessTree

STOP_SIGNALS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
FORK_EVENTS = (kernel.PTRACE_EVENT_FORK, kernel.PTRACE_EVENT_VFORK, kernel.PTRACE_EVENT_CLONE)
NOTIFICATION = struct.Struct("<QIIiIQ6Q")  # struct seccomp_notif: id, pid, flags, {nr, arch, ip, args}
RESPONSE = struct.Struct("<QqiI")  # struct seccomp_notif_resp: id, val, error, flags


class Engine:
    """One traced run, from the first stop to the end of the last process."""

    def __init__(
        self, main: int, listener: int, architectures: tuple[Architecture, ...], recorder: Recorder, tree: ProcessTree
    ) -> None:
        """Take over a seized process ``main`` (its id) and the ``listener`` of its filter."""
        self.main = main
        self.main_status: int | None = None
        self.listener = listener
        self.architectures = {architecture.audit: architecture for architecture in architectures}
        self.recorder = recorder
        self.context = recorder.context
        self.tree = tree
        self.tracees = tree.tracees
        self.journal = recorder.ledger.journal
        self.unclaimed: set[int] = set()
        self.untraced: set[int] = set()

    def run(self, wake: int) -> int | None:
        """Serve the tree until its last process ended; return the wait status of the main process.

        ``wake`` is a descriptor that becomes readable at every signal, see signal.set_wakeup_fd.
        """
        with contextlib.suppress(OSError):  # ENOTTY or EINVAL before Linux 6.6
            fcntl.ioctl(self.listener, kernel.SECCOMP_IOCTL_NOTIF_SET_FLAGS, kernel.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
        self.tree.born(self.main, None)
        poller = select.poll()
        poller.register(self.listener, select.POLLIN)
        poller.register(wake, select.POLLIN)
        timeout = int(FLUSH_SECONDS * 1000)
        serve = self._make_server()
        listening = True
        while self.tracees and (listening or self.tracees.keys() - self.untraced):
            for ready, what in poller.poll(timeout):
                if ready == wake:
                    os.read(wake, 4096)
                    self._handle_stops()
                elif what & select.POLLIN:
                    serve()
                else:  # POLLHUP: no process is under the filter any more
                    poller.unregister(self.listener)
                    listening = False
            self.journal.flush_when_due()
        return self.main_status

    def _make_server(self) -> Callable[[], None]:
        """Make the function that serves one notification, with all it needs at hand: this is the hot path."""
        request, response, zeroes = bytearray(NOTIFICATION.size), bytearray(RESPONSE.size), bytes(NOTIFICATION.size)
        receive, send = kernel.SECCOMP_IOCTL_NOTIF_RECV, kernel.SECCOMP_IOCTL_NOTIF_SEND
        proceed = kernel.SECCOMP_USER_NOTIF_FLAG_CONTINUE
        ioctl, unpack, pack = fcntl.ioctl, NOTIFICATION.unpack_from, RESPONSE.pack_into
        listener, tracees, architectures = self.listener, self.tracees, self.architectures
        observe = self.recorder.observe

        def serve() -> None:
            request[:] = zeroes  # the kernel refuses a request that is not all zeroes
            try:
                ioctl(listener, receive, request)
            except FileNotFoundError:
                return  # the caller was killed meanwhile
            cookie, tid, _, number, audit, _, *arguments = unpack(request)
            if number < X32_BIT:
                observe(tracees.get(tid) or self._adopt(tid), architectures[audit], number, arguments)
                pack(response, 0, cookie, 0, 0, proceed)
            else:
                self.context.notices.add_x32(self.context.program(tracees.get(tid) or self._adopt(tid)))
                pack(response, 0, cookie, 0, -ENOSYS, 0)
            try:  # noqa: SIM105 - contextlib.suppress takes a microsecond
                ioctl(listener, send, response)
            except FileNotFoundError:
                pass

        return serve

    def _adopt(self, tid: int) -> Tracee:
        self.untraced.add(tid)
        return self.tree.adopt(tid)

    def _handle_stops(self) -> None:
        """Take every stop and end that waits to be told, and let each tracee go on."""
        while True:
            try:
                pid, status = os.waitpid(-1, kernel.WALL | os.WNOHANG)
            except ChildProcessError:
                for tid in list(self.tracees.keys() - self.untraced):
                    self.tree.ended(tid, 0)
                return
            if pid == 0:
                return
            if not os.WIFSTOPPED(status):
                self.context.moving.discard(pid)
                self.tree.ended(pid, status)
                if pid == self.main:
                    self.main_status = status
                continue
            with contextlib.suppress(ProcessLookupError):  # killed at any time, also while it is stopped
                self._handle_stop(pid, status >> 16, os.WSTOPSIG(status))

    def _handle_stop(self, tid: int, event: int, signal_number: int) -> None:
        if tid not in self.tracees:  # a child's first stop may come before its parent's fork event
            self.unclaimed.add(tid)
            return
        if event in FORK_EVENTS:
            self._handle_birth(tid, event)
        elif event == kernel.PTRACE_EVENT_EXEC:
            note_execution(self.context, self.tree.replaced(tid, kernel.read_event_message(tid)))
        elif event == kernel.PTRACE_EVENT_STOP and signal_number in STOP_SIGNALS:
            kernel.ptrace(kernel.PTRACE_LISTEN, tid)  # a group-stop: it stays stopped until SIGCONT
            return
        kernel.ptrace(kernel.PTRACE_CONT, tid, 0 if event else signal_number)

    def _handle_birth(self, tid: int, event: int) -> None:
        parent = self.tracees[tid]
        child = kernel.read_event_message(tid)
        is_thread = event == kernel.PTRACE_EVENT_CLONE and os.path.exists(f"/proc/{parent.process.tgid}/task/{child}")
        self.tree.born(child, parent, is_thread=is_thread)
        if child in self.unclaimed:
            self.unclaimed.discard(child)
            kernel.ptrace(kernel.PTRACE_CONT, child)
