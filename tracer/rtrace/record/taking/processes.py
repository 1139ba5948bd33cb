"""The processes of a run, and what they took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.path_text import to_text
from rtrace.record.empty import empty_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.record.document import ProcessFact, UsageFact
    from rtrace.record.taking.evidence import Evidence
    from rtrace.trace.reading.one_run import TracedExecution, TracedProcess

MOST_PROCESSES = 1000
"""Processes that a record lists; the trace has all."""
SPARE = 16 << 10
"""Bytes beyond what a record keeps of a text, in which a secret may end that begins before: no secret is longer."""
_LONGEST_ARGUMENT = 4096
_MOST_ARGUMENTS = 256
_BILLION = 1_000_000_000


def describe_usage(evidence: Evidence) -> UsageFact:
    """Return what a run took.

    The kernel adds what a process took to the one that waited for it, and so on up to the run's first. Those that
    outlived the process that started them were waited for by nobody in the run: they come on top.
    """
    usage = empty_usage()
    run = evidence.run
    if run.started is not None and run.finished is not None:
        usage["wall"] = max(run.finished - run.started, 0.0)
    ends = {process.id: process.ended for process in evidence.processes}
    alone = [process for process in evidence.processes if _is_alone(process, ends)]
    user = [process.user_time for process in alone if process.user_time is not None]
    system = [process.system_time for process in alone if process.system_time is not None]
    peaks = [process.peak_memory for process in evidence.processes if process.peak_memory is not None]
    if user and system:
        usage["user"], usage["system"] = sum(user) / _BILLION, sum(system) / _BILLION
    usage["peak_memory"] = max(peaks, default=None)
    if evidence.processes:
        first = evidence.processes[0]
        usage["bytes_read"], usage["bytes_written"] = first.bytes_read, first.bytes_written
    return usage


def describe_processes(evidence: Evidence) -> list[ProcessFact]:
    """Return the first processes of a run, each with the program that it executed last.

    Their arguments are longer than a record has them: secrets are taken out first.
    """
    last: dict[int, TracedExecution] = {execution.process: execution for execution in evidence.executions}
    return [_describe(process, last.get(process.id)) for process in evidence.processes[:MOST_PROCESSES]]


def shorten_arguments(argv: Sequence[bytes], *, spare: int = 0) -> list[str]:
    """Return arguments as text; of a great many, and of very long ones, the beginning.

    ``spare`` are bytes more of each: a secret that is searched for before the rest is left out must be there whole.
    """
    return [to_text(word[: _LONGEST_ARGUMENT + spare]) for word in argv[:_MOST_ARGUMENTS]]


def _describe(process: TracedProcess, execution: TracedExecution | None) -> ProcessFact:
    wall = None if process.ended is None else max(process.ended - process.started, 0) / _BILLION
    return {
        "id": process.id,
        "parent": process.parent,
        "pid": process.pid,
        "program": None if execution is None else to_text(execution.path),
        "arguments": [] if execution is None else shorten_arguments(execution.argv, spare=SPARE),
        "started": process.started / _BILLION,
        "usage": {
            "wall": wall,
            "user": None if process.user_time is None else process.user_time / _BILLION,
            "system": None if process.system_time is None else process.system_time / _BILLION,
            "peak_memory": process.peak_memory,
            "bytes_read": process.bytes_read,
            "bytes_written": process.bytes_written,
        },
        "exit_code": process.exit_code,
        "signal": process.signal,
        "rank": None,
        "host": None,
    }


def _is_alone(process: TracedProcess, ends: dict[int, int | None]) -> bool:
    """Whether nobody in the run can have waited for a process."""
    if process.parent is None or process.parent not in ends:
        return True
    end = ends[process.parent]
    return end is not None and process.ended is not None and end < process.ended
