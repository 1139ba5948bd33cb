"""Which of the ways to trace work: a program that does nothing is traced in each, all at the same time."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rtrace.files.workspaces import temporary
from rtrace.linux.probing import Attempt
from rtrace.replay.protocol import Ability
from rtrace.trace.directory import TraceDirectory

ENGINES = {
    "notify": "trace by notifications",
    "seccomp": "trace by filtered stops",
    "stops": "trace by stops at every call",
}
"""The values of RTRACE_ENGINE, best first, and what they are."""


@contextlib.contextmanager
def trying_to_trace() -> Iterator[list[Ability]]:
    """Begin to try, and yield a list in which the answers are when the block is over."""
    abilities: list[Ability] = []
    if not sys.platform.startswith("linux"):
        abilities += (
            Ability(name, works=False, detail="only Linux has it", part="record") for name in ENGINES.values()
        )
        yield abilities
        return

    with temporary("doctor") as folder:
        attempts = {name: Attempt(partial(trace_nothing, engine, folder / engine)) for engine, name in ENGINES.items()}
        try:
            yield abilities
        finally:
            problems = {name: attempt.finish() for name, attempt in attempts.items()}
    abilities += (
        Ability(name, works=problem is None, detail=problem or "", part="record") for name, problem in problems.items()
    )


def trace_nothing(engine: str, folder: Path) -> None:
    """Trace true(1). Raises RtraceError where that cannot be traced."""
    from rtrace.capture.processes.modes import VARIABLE
    from rtrace.operations.trace import TraceRequest, trace_into

    os.environ[VARIABLE] = engine
    trace_into(
        TraceDirectory(folder),
        TraceRequest((b"true",), keep=None),
        on_waiting=lambda _programs: None,
        on_loss=lambda _what, _advice: None,
    )
