"""The process tree of a run: who was born of whom, and how each one ended."""

from __future__ import annotations

import os

from rtrace.capture.books.rows import ProcessRow
from rtrace.capture.calls.context import Context
from rtrace.capture.processes.tracee import Process, Tracee
from rtrace.capture.processes.usage import UNKNOWN, Row


class ProcessTree:
    """Every living thread by its id, and a row for each process and thread that ever lived."""

    def __init__(self, context: Context, first_row: int) -> None:
        """Keep up to date which threads the context has; rows of ``processes`` are numbered from ``first_row`` on."""
        self.ledger = context.ledger
        self.tracees = context.tracees
        self.pids = context.pids
        self.executions = context.executions
        self.opened: dict[Process, None] = {}
        self.next_row = first_row
        rows = self.ledger.journal.pending
        self.births, self.ends = rows["processes"], rows["ends"]

    def born(self, tid: int, parent: Tracee | None, *, is_thread: bool = False) -> Tracee:
        """Add a process, or a thread of its parent's process; ``parent`` is None for a run's first process."""
        row = self.next_row
        self.next_row += 1
        process = parent.process if is_thread and parent is not None else Process(row, tid, self.opened)
        process.threads += 1
        tracee = self.tracees[tid] = Tracee(tid, process, row)
        self.pids.add(tid)
        if parent is not None:
            tracee.cwd = parent.cwd
        born_of = None if parent is None else (parent.row if is_thread else parent.process.id)
        self.births.append(ProcessRow(row, self.ledger.run, born_of, tid, int(is_thread), self.ledger.now()))
        return tracee

    def find(self, tid: int) -> Tracee:
        """Add a thread or process whose birth was not told (yet), by what proc(5) says of it.

        Its parent stays unknown when that was killed at its birth: then proc(5) names who inherited it.
        """
        fields = read_status(tid)
        tgid, parent_id = fields.get(b"Tgid", tid), fields.get(b"PPid", 0)
        is_thread = tgid != tid
        parent = self.tracees.get(tgid if is_thread else parent_id)
        if parent is None:
            parent = next((other for other in self.tracees.values() if other.process.tgid in (tgid, parent_id)), None)
        return self.born(tid, parent, is_thread=is_thread and parent is not None)

    def name_programs(self) -> tuple[str, ...]:
        """Return the names of the programs that are running, with their process ids, for a message."""
        programs = []
        for tgid in sorted({tracee.process.tgid for tracee in self.tracees.values()}):
            try:
                with open(f"/proc/{tgid}/comm", "rb") as file:
                    programs.append(f"{file.read().decode(errors='backslashreplace').strip()} ({tgid})")
            except OSError:
                continue
        return tuple(programs)

    def replaced(self, tid: int, former: int) -> Tracee:
        """Let a thread that executed a program take over its process's id; all other threads are gone."""
        tracee = self.tracees.get(tid)
        if former == tid and tracee is not None:
            return tracee
        executing = self.tracees.pop(former, None)
        if tracee is None:
            return executing if executing is not None else self.find(tid)
        if executing is not None:
            execution = self.executions.pop(former, None)
            if execution is not None:
                self.executions[tid] = execution
            executing.process.threads -= 1
            tracee.process.forget_memory()
            self.ends.append((self.ledger.now(), 0, None, *UNKNOWN, executing.row))
        return tracee

    def ended(self, tid: int, status: int, usage: Row = UNKNOWN) -> None:
        """Note that a thread or process ended, with its wait status, and what it took."""
        tracee = self.tracees.pop(tid, None)
        if tracee is None:
            return
        self.executions.pop(tid, None)
        tracee.process.threads -= 1
        if tracee.process.threads <= 0:
            tracee.process.forget_memory()
        killed = os.WIFSIGNALED(status)
        code = None if killed else os.WEXITSTATUS(status)
        if tid != tracee.process.tgid:
            usage = UNKNOWN  # the kernel tells that of its process
        self.ends.append((self.ledger.now(), code, os.WTERMSIG(status) if killed else None, *usage, tracee.row))


def read_status(tid: int) -> dict[bytes, int]:
    """Return Tgid and PPid of a thread from /proc/TID/status; nothing if it is gone."""
    try:
        with open(f"/proc/{tid}/status", "rb") as file:
            lines = [line.split(b":") for line in file.read().splitlines() if line.startswith((b"Tgid:", b"PPid:"))]
    except OSError:
        return {}
    return {name: int(value) for name, value in lines}
