"""The engines: the ways in which the kernel can be asked to tell a tracer of system calls.

    notify    a seccomp filter notifies of the calls that matter; their callers wait for the listener's answer
    seccomp   a seccomp filter makes these calls stop under ptrace
    stops     every call stops under ptrace, where filters are refused

The process tree comes by ptrace in each of them. A new engine is a row of `ENGINES`: whatever differs from one to the
next asks the engine, and nothing asks which one it is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rtrace.debugging import debug
from rtrace.errors import UsageError
from rtrace.linux.bpf import SECCOMP_RET_TRACE, SECCOMP_RET_USER_NOTIF
from rtrace.linux.seccomp import install_watched_filter
from rtrace.linux.version import kernel_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.capture.kernel.architecture import Architecture

VARIABLE = "RTRACE_ENGINE"


class TracingEngine(NamedTuple):
    """One way of being told.

    ``since`` is the first kernel that is known to have it. ``verdict`` is what its filter answers for a call that
    matters, None if it has no filter.
    """

    name: str
    description: str
    since: tuple[int, int]
    verdict: int | None

    @property
    def listens(self) -> bool:
        """Whether a listener hears of calls; if none does, they are stops."""
        return self.verdict == SECCOMP_RET_USER_NOTIF

    @property
    def stops_at_every_call(self) -> bool:
        """Whether a tracee goes on only until its next call, and again until the end of that."""
        return self.verdict is None

    def build_program(self, architectures: Iterable[Architecture], *, exposing: bool) -> bytes:
        """Return its filter, which is empty if it has none; ``exposing`` is for a tracer without privileges."""
        from rtrace.capture.kernel.call_filter import build_filter

        return b"" if self.verdict is None else build_filter(architectures, self.verdict, exposing=exposing)

    def enter(self, program: bytes) -> int:
        """Put this process under its filter; return the listener's descriptor, -1 if it has none. Raises OSError."""
        return install_watched_filter(program, listening=self.listens) if program else -1


ENGINES = (
    TracingEngine("notify", "trace by notifications", (5, 6), SECCOMP_RET_USER_NOTIF),
    TracingEngine("seccomp", "trace by filtered stops", (3, 5), SECCOMP_RET_TRACE),
    TracingEngine("stops", "trace by stops at every call", (3, 4), None),
)
"""Best first."""
BY_NAME = {engine.name: engine for engine in ENGINES}


def choose_engines() -> tuple[TracingEngine, ...]:
    """Return the engines to try, in order: all that this kernel may know, or the one that RTRACE_ENGINE names."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        version = kernel_version()
        engines = tuple(engine for engine in ENGINES if version >= engine.since)
        debug(__name__, "Linux %d.%d: engines to try: %s", *version, " ".join(engine.name for engine in engines))
        return engines
    if wanted not in BY_NAME:
        raise UsageError(f"{VARIABLE} is {wanted!r}; set it to one of: {', '.join(BY_NAME)}, or unset it")
    debug(__name__, "%s asks for the engine %s", VARIABLE, wanted)
    return (BY_NAME[wanted],)
