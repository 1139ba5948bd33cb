"""The stops of a run that is frozen: some calls are answered before the recorder sees them, and none that it notes.

Calls that name files are the recorder's alone, so the times of files, and what /dev/urandom gives, are not frozen here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.capture.loop.process_tree import read_status
from rtrace.capture.loop.stops import STOPPED, StopHandler
from rtrace.freezing.calls import name_calls
from rtrace.freezing.tree import FrozenTree, is_thread_of
from rtrace.linux.interfaces import AUDIT_ARCHITECTURES, own_interface
from rtrace.linux.ptrace import PTRACE_EVENT_CLONE, read_event_message, read_interface, read_syscall

if TYPE_CHECKING:
    from resource import struct_rusage

    from rtrace.capture.calls.recorder import Recorder
    from rtrace.capture.kernel.architecture import Architecture
    from rtrace.capture.loop.deliveries import Deliveries
    from rtrace.capture.loop.engines import TracingEngine
    from rtrace.capture.loop.process_tree import ProcessTree
    from rtrace.freezing.model import Freeze


class FreezingStopHandler(StopHandler):
    """Takes the stops of a tree as `StopHandler` does, and answers those calls by which programs find what changes."""

    def __init__(
        self,
        deliveries: Deliveries,
        engine: TracingEngine,
        architectures: dict[int, Architecture],
        recorder: Recorder,
        tree: ProcessTree,
        freeze: Freeze,
    ) -> None:
        super().__init__(deliveries, engine, architectures, recorder, tree)
        interface = own_interface()
        self.audit = AUDIT_ARCHITECTURES[interface]
        self.names = name_calls(interface, traced=True)
        self.frozen = FrozenTree(self.main, freeze, None, lambda _name: None)

    def take(self, tid: int, status: int, usage: struct_rusage) -> None:
        """Take one answer of wait4(2), as `StopHandler` does."""
        if status & 0xFF != STOPPED:
            self.frozen.take_end(tid)
        elif tid not in self.frozen.threads:  # a child's first stop, before its parent's event
            fields = read_status(tid)
            tgid, parent = fields.get(b"Tgid", tid), fields.get(b"PPid", 0)
            is_thread = tgid != tid
            if (tgid if is_thread else parent) in self.frozen.threads:
                self.frozen.take_birth(tgid if is_thread else parent, tid, is_thread=is_thread)
        super().take(tid, status, usage)

    def _take_birth(self, tid: int, event: int) -> None:
        thread = self.frozen.threads.get(tid)
        if thread is not None:
            child = read_event_message(tid)
            is_thread = event == PTRACE_EVENT_CLONE and is_thread_of(thread.process.tgid, child)
            self.frozen.take_birth(tid, child, is_thread=is_thread)
        super()._take_birth(tid, event)

    def _take_execution(self, tid: int) -> None:
        former = read_event_message(tid)
        super()._take_execution(tid)
        audit, stack = read_interface(tid)
        if audit == self.audit:
            self.frozen.take_execution(tid, former, stack)

    def _take_call(self, tid: int) -> None:
        stop = read_syscall(tid)
        name = self.names.get(stop.number) if stop.entering and stop.audit == self.audit else None
        if name is None:
            super()._take_call(tid)
            return
        self.tracees[tid].awaited = self.frozen.take_call(tid, name, stop.arguments)
