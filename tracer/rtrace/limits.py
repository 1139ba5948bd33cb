"""What a replay may use of the machine, as a value."""

from __future__ import annotations

from dataclasses import dataclass

TIMED_OUT = 124
"""The exit status of a replay that its time limit ended, as timeout(1) has it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one replay, all its processes together; None is no limit of its own.

    ``timeout`` is in seconds of wall time, ``memory``, ``output`` (standard output and error) and ``disk`` (what is
    written below the target) in bytes, ``cpus`` in processors, ``processes`` in processes and threads.
    """

    timeout: float | None = None
    memory: int | None = None
    cpus: float | None = None
    processes: int | None = 8192
    output: int | None = 1 << 30
    disk: int | None = None


DEFAULT_LIMITS = Limits()
