"""The steps by which a launcher gives a program its descriptors, as words in memory.

A step is the number of a call and four arguments; see container.c for the two numbers that are no calls, and for
an argument that is the result of the step before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeAlias

from rtrace.manifest.model import Descriptor, Run
from rtrace_unpackers.isolation.planning.steps import (
    ACCESS,
    F_DUPFD_CLOEXEC,
    F_SETFL,
    O_APPEND,
    O_CLOEXEC,
    O_NOCTTY,
    O_NONBLOCK,
)
from rtrace_unpackers.launchers.processors import CALLS, Processor

Step: TypeAlias = "tuple[int, int | bytes, int, int, int]"

END, OPEN, PIPE = -1, -2, -3
RESULT = -1
STANDARD = 3
"""How many descriptors are standard ones."""
LARGE_FILES = {4: 0o100000}
"""O_LARGEFILE, which 32-bit programs have to ask for, by the bytes of a word."""


def plan_descriptors(run: Run, processor: Processor) -> tuple[Step, ...]:
    """Plan how a program gets its descriptors."""
    beyond = max((one.number for one in run.descriptors), default=0) + STANDARD
    steps: list[Step] = []
    if run.stdin is not None:
        kind = "pipe" if run.stdin.pipe else "file"
        steps += give(Descriptor(0, kind, run.stdin.path, run.stdin.offset), beyond, processor)
    for one in run.descriptors:
        if one.number >= STANDARD:
            steps += give(one, beyond, processor)
    steps += ((CALLS[processor.name]["close"], number, 0, 0, 0) for number in sorted(run.closed))
    return tuple(steps)


def give(one: Descriptor, beyond: int, processor: Processor) -> Iterator[Step]:
    """Plan one descriptor: what is opened is moved beyond all others first, as it may have got the number of one."""
    calls = CALLS[processor.name]
    if one.kind == "same":
        yield (calls["dup3"], one.same or 0, one.number, 0, 0)
        return
    path, access = (b"/dev/null", "read write") if one.kind == "null" else (one.path or b"", one.access)
    append = O_APPEND if "append" in access else 0
    flags = ACCESS[access] | append | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | LARGE_FILES.get(processor.word, 0)
    yield (OPEN, path, flags, 0, 0)
    if one.kind == "pipe":
        yield (PIPE, RESULT, 0, 0, 0)
    yield (calls["fcntl"], RESULT, F_DUPFD_CLOEXEC, beyond, 0)
    yield (calls["dup3"], RESULT, one.number, 0, 0)
    if one.kind != "pipe":
        yield (calls["fcntl"], one.number, F_SETFL, append, 0)
    if one.kind == "file" and one.offset:
        yield (
            calls["lseek"],
            one.number,
            one.offset & ((1 << 8 * processor.word) - 1),
            os.SEEK_SET,
            0,
        )


def lay_out(steps: tuple[Step, ...], add_string: Callable[[bytes], int]) -> list[int]:
    """Return the words of a list of steps; ``add_string`` gives the address of a string."""
    words: list[int] = []
    for step in steps:
        words += [add_string(word) if isinstance(word, bytes) else word for word in step]
    return [*words, END]
