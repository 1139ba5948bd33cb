"""Processes that make a catalogue again end with it, whatever they wait for, and none is missed in silence."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from rtrace import interrupts
from rtrace.errors import HistoryError
from rtrace.record.stores.workers import workers


def describe_handlers(_task: int) -> list[bool]:
    """Whether each signal that ends rtrace ends this process by itself."""
    return [signal.getsignal(number) is signal.SIG_DFL for number in interrupts.ENDING]


def kill_at(task: int) -> int:
    """Return a task, or be killed at it, as by a kernel without memory."""
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def fail_at(task: int) -> int:
    """Return a task, or fail at it."""
    if task == 3:
        raise HistoryError("unreadable")
    return task


def tell_process(_task: int) -> int:
    """Return which process this is."""
    return os.getpid()


def test_tasks_are_answered_in_their_order() -> None:
    """Every task has its answer, in the order of the tasks, by other processes."""
    with workers(2) as share:
        assert list(share(abs, range(-50, 0))) == list(range(50, 0, -1))
        assert os.getpid() not in set(share(tell_process, range(4)))


def test_signals_end_workers_whatever_they_wait_for() -> None:
    """A handler of Python's would come too late for one that is about to wait for a lock."""
    before = {number: signal.getsignal(number) for number in interrupts.ENDING}
    interrupts.begin()
    try:
        with workers(2) as share:
            assert all(all(one) for one in share(describe_handlers, range(4)))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_killed_worker_is_told() -> None:
    """When a process is killed, its task is not waited for: a sentence says so."""
    sentence = r"was killed, perhaps for want of memory; `rtrace log --rebuild`"
    with pytest.raises(HistoryError, match=sentence), workers(2) as share:
        list(share(kill_at, range(10)))


def test_failure_ends_workers() -> None:
    """What a task raises is raised here, and the processes are gone."""
    processes: set[int] = set()

    def fail() -> None:
        with workers(2) as share:
            processes.update(share(tell_process, range(8)))
            list(share(fail_at, range(10)))

    with pytest.raises(HistoryError, match="unreadable"):
        fail()
    assert processes
    assert not any(Path(f"/proc/{process}").exists() for process in processes)
