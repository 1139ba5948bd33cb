"""What a process took, as the kernel tells it when it ends: time, memory, bytes.

User and system time and memory come from wait4(2), for nothing, and are those of getrusage(2) of the process *and* all
its children that it waited for, as time(1) shows them. A process begins with the memory of the one that it was forked
from: of the run's first one that is rtrace itself. So that one alone is asked once more when it is about to end, by
proc(5), which knows the peak of its last program, and the bytes of all that it waited for. (For every process that
would be a further stop, and two files: a tenth of the time of a run that starts thousands.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from resource import struct_rusage

_BILLION = 1_000_000_000
_KIB = 1024


class LastWords(NamedTuple):
    """What proc(5) tells of a process that is about to end: bytes; None where it does not tell."""

    peak_memory: int | None = None
    bytes_read: int | None = None
    bytes_written: int | None = None


NOTHING = LastWords()
Row = tuple[int | None, int | None, int | None, int | None, int | None]
UNKNOWN: Row = (None, None, None, None, None)
"""Of a thread, and of a process whose end nobody saw."""


def read_last_words(tid: int) -> LastWords:
    """Return what a process has taken until now; nothing of one that is gone or may not be looked at."""
    io = _read_numbers(f"/proc/{tid}/io", (b"rchar", b"wchar"))
    peak = _read_numbers(f"/proc/{tid}/status", (b"VmHWM",)).get(b"VmHWM")
    return LastWords(None if peak is None else peak * _KIB, io.get(b"rchar"), io.get(b"wchar"))


def make_row(usage: struct_rusage, last_words: LastWords) -> Row:
    """Return user time, system time (nanoseconds), peak memory, bytes read and written, as the trace has them."""
    peak = last_words.peak_memory
    return (
        int(usage.ru_utime * _BILLION),
        int(usage.ru_stime * _BILLION),
        usage.ru_maxrss * _KIB if peak is None else peak,
        last_words.bytes_read,
        last_words.bytes_written,
    )


def _read_numbers(name: str, wanted: tuple[bytes, ...]) -> dict[bytes, int]:
    """Return some numbers of a file that has a name, a colon and a number on each line; none if it cannot be read."""
    try:
        with open(name, "rb", buffering=0) as file:
            lines = [line.partition(b":") for line in file.readall().splitlines()]
        return {key: int(value.split()[0]) for key, _, value in lines if key in wanted}
    except (OSError, ValueError, IndexError):
        return {}
