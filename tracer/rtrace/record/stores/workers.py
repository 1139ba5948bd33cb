"""Documents read by several processes at once, to make a catalogue again."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from rtrace.errors import HistoryError
from rtrace.interrupts import ENDING

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Share(Protocol):
    """Has a function called for each of several tasks, by processes that share these."""

    def __call__(self, work: Callable[[Task], Answer], tasks: Iterable[Task], /) -> Iterator[Answer]:
        """Yield what the function returns, in the order of the tasks."""


def count_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def workers(processes: int) -> Iterator[Share]:
    """Have some processes, forked now, that end with this one, whatever ends it; yield a function that uses them.

    It yields what a function returns for each of several tasks, in their order. Where processes cannot be forked
    (Windows), this one does it all. It raises what the function raises, and HistoryError when one of them was killed.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_all_start_methods, get_context

    if "fork" not in get_all_start_methods():
        yield map
        return
    with ProcessPoolExecutor(processes, get_context("fork"), _begin, (os.getpid(),)) as executor:
        try:
            executor.submit(int).result()  # forks them
            yield executor.map
        except BrokenProcessPool:
            raise HistoryError(
                "a process that was reading documents was killed, perhaps for want of memory; "
                "`rtrace log --rebuild` begins again"
            ) from None
        finally:
            executor.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    """Let signals end a process that was forked, also while it waits for a lock, and end with the one that forked it.

    Python calls a handler of its own only between two of its instructions: a signal that comes just before a wait would
    go unnoticed.
    """
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        from rtrace.linux.libc import PR_SET_PDEATHSIG, control

        control(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended meanwhile
        os._exit(1)
    gc.disable()  # what is read of a document makes no circles, and goes at once
