"""What differs from one machine to the next, as values."""

from __future__ import annotations

import os
from dataclasses import dataclass

from rtrace.capture.calls import CALLS, FSTAT_ALIASES, REFUSED, SIMPLE_ACTIONS, Call
from rtrace.capture.numbers import load_numbers
from rtrace.errors import TracingRefusedError


@dataclass(frozen=True, slots=True)
class Architecture:
    """One system call interface: its AUDIT_ARCH value (linux/audit.h), its pointer size in bytes, its calls.

    ``calls`` are by number; ``simple`` are those among them that have one path and no more to read.
    """

    name: str
    audit: int
    word: int
    calls: dict[int, Call]
    simple: dict[int, Call]
    names: dict[int, str]
    refused: tuple[int, ...]
    fstat_aliases: dict[int, int]


AUDIT = {"x86_64": (0xC000003E, 8), "i386": (0x40000003, 4), "aarch64": (0xC00000B7, 8)}
SPOKEN = {"x86_64": ("x86_64", "i386"), "i386": ("i386",), "i686": ("i386",), "aarch64": ("aarch64",)}
"""The interfaces that programs may use on a machine, by machine of uname(2); the machine's own first."""


def load_architecture(name: str) -> Architecture:
    """Join the table of calls with an architecture's numbers. Raises KeyError for one that rtrace does not know."""
    audit, word = AUDIT[name]
    numbers = load_numbers(name)
    return Architecture(
        name=name,
        audit=audit,
        word=word,
        calls={numbers[call]: description for call, description in CALLS.items() if call in numbers},
        simple={
            numbers[call]: description
            for call, description in CALLS.items()
            if call in numbers and description.action in SIMPLE_ACTIONS
        },
        names={numbers[call]: call for call in CALLS if call in numbers},
        refused=tuple(numbers[call] for call in REFUSED if call in numbers),
        fstat_aliases={numbers[call]: flags for call, flags in FSTAT_ALIASES.items() if call in numbers},
    )


def native_architectures() -> tuple[Architecture, ...]:
    """Return the interfaces of this machine; raise TracingRefusedError where rtrace cannot trace."""
    machine = os.uname().machine
    if machine not in SPOKEN:
        raise TracingRefusedError(f"rtrace cannot trace on {machine} yet; trace on one of: {', '.join(sorted(SPOKEN))}")
    return tuple(load_architecture(name) for name in SPOKEN[machine])
