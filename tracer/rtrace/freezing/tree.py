"""A frozen tree: which threads and processes there are, and what happens at their calls, births, beginnings and ends.

It is driven by whoever traces the tree, once for each stop; it lets nobody go on itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from rtrace.freezing.answers import Answers
from rtrace.freezing.beginning import RANDOM_BYTES, freeze_beginning
from rtrace.freezing.clock import Clock
from rtrace.freezing.model import Freeze
from rtrace.freezing.processes import FrozenProcess, FrozenThread
from rtrace.freezing.waiting import Finish
from rtrace.linux.registers import skip_syscall

OTHER_PART = 123_456_789
"""Nanoseconds that have gone by when another time begins: programs look at parts of seconds, too."""


class FrozenTree:
    """All threads of a frozen program by their ids."""

    def __init__(self, first: int, freeze: Freeze, release: bytes | None, told: Callable[[bytes], None]) -> None:
        """Begin with the first process; see `Answers` for the rest."""
        self.answers = Answers(freeze, release, told, time.time())
        self.threads = {
            first: FrozenThread(first, FrozenProcess(first, (), Clock(OTHER_PART * freeze.of("time")), None))
        }

    def take_birth(self, parent: int, child: int, *, is_thread: bool) -> None:
        """Add a thread or a process, unless it was met already."""
        if child in self.threads:
            return
        process = self.threads[parent].process
        self.threads[child] = FrozenThread(child, process if is_thread else process.bear(child))

    def take_execution(self, tid: int, former: int, stack: int) -> None:
        """Let a new program find what is frozen; the thread that executed it took over its process's id."""
        thread = self.threads.pop(former, None) or self.threads.get(tid)
        if thread is None:
            return
        thread.tid = tid
        self.threads[tid] = thread
        process = thread.process
        process.threads = 1
        process.forget_memory()
        random = process.draw(self.answers.seed, RANDOM_BYTES)
        try:
            freeze_beginning(thread, stack, random)
        except (OSError, OverflowError):  # it was killed meanwhile
            return

    def take_end(self, tid: int) -> None:
        """Forget a thread that has ended."""
        thread = self.threads.pop(tid, None)
        if thread is None:
            return
        thread.process.threads -= 1
        if thread.process.threads <= 0 or tid == thread.process.tgid:
            thread.process.end()

    def take_call(self, tid: int, name: str, arguments: list[int]) -> Finish | None:
        """Answer a call at whose entry a thread is stopped; return what is to be done at its exit, if anything is.

        Raises ProcessLookupError when it was killed.
        """
        thread = self.threads.get(tid)
        answer = None if thread is None else self.answers.answer(thread, name, arguments)
        if isinstance(answer, int):
            skip_syscall(tid, answer)
            return None
        return answer


def is_thread_of(tgid: int, tid: int) -> bool:
    """Whether a task is a thread of a process, see proc(5)."""
    return os.path.exists(f"/proc/{tgid}/task/{tid}")
