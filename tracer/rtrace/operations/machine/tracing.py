"""Which of the ways to trace work: a program that does nothing is traced in each, all at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from rtrace.files.workspaces import temporary
from rtrace.linux.probing import Attempt
from rtrace.replay.protocol import Ability


@contextlib.contextmanager
def trying_to_trace(engines: Mapping[str, str], trace: Callable[[str, Path], None]) -> Iterator[list[Ability]]:
    """Begin to try, and yield a list in which the answers are when the block is over.

    ``engines`` are the values of RTRACE_ENGINE, with what they are; there are none where the tracer does not run.
    ``trace`` traces a program in the way that it is given, into a new trace directory; it raises RtraceError.
    """
    abilities: list[Ability] = []
    if not engines:
        abilities.append(Ability("tracing", works=False, detail="only Linux has it", part="record"))
        yield abilities
        return
    with temporary("doctor") as folder:
        attempts = {name: Attempt(partial(trace, engine, folder / engine)) for engine, name in engines.items()}
        try:
            yield abilities
        finally:
            problems = {name: attempt.finish() for name, attempt in attempts.items()}
    abilities += (
        Ability(name, works=problem is None, detail=problem or "", part="record") for name, problem in problems.items()
    )
