"""What differs from one system call interface to the next, as values."""

from __future__ import annotations

from typing import NamedTuple

from rtrace.capture.kernel.call_table import (
    AWAITED,
    CALLS,
    CLONES,
    CONDITIONS,
    FSTAT_ALIASES,
    REFUSED,
    SIMPLE_ACTIONS,
    Action,
    Call,
    Condition,
)
from rtrace.capture.kernel.numbers import load_numbers
from rtrace.errors import TracingRefusedError
from rtrace.linux.interfaces import AUDIT_ARCHITECTURES, POINTER_BYTES, SPOKEN, own_interface

Simple = tuple[Action, int, int, int, int, int]
"""A call with one path: its action, the indexes of path, folder (-1 without one) and flags, the mask, and the flags
that are implied where the mask is 0."""


def simplify(call: Call) -> Simple:
    """Return what the hot path needs to know of a call with one path."""
    dirfd, flags = (-1 if index is None else index for index in (call.dirfd, call.flags))
    return call.action, call.path, dirfd, flags, call.mask, call.implied


class Architecture(NamedTuple):
    """One system call interface: its AUDIT_ARCH value (linux/audit.h), its pointer size in bytes, its calls.

    ``calls`` are by number; ``awaited`` are those among them whose results are looked at; ``simple`` are those that
    have one path and no more to read, in the form that the hot path unpacks fastest; ``conditions`` say when others
    matter. ``clone``, ``clone3`` and ``prctl`` are numbers, -1 where there is no such call.
    """

    name: str
    audit: int
    word: int
    calls: dict[int, Call]
    simple: dict[int, Simple]
    names: dict[int, str]
    conditions: dict[int, Condition]
    refused: tuple[int, ...]
    fstat_aliases: dict[int, int]
    clone: int
    clone3: int
    prctl: int
    awaited: frozenset[int]


def load_architecture(name: str) -> Architecture:
    """Join the table of calls with an architecture's numbers. Raises KeyError for one that rtrace does not know."""
    numbers = load_numbers(name)
    clone, clone3 = (numbers.get(call, -1) for call in CLONES)
    return Architecture(
        name=name,
        audit=AUDIT_ARCHITECTURES[name],
        word=POINTER_BYTES[name],
        calls={numbers[call]: description for call, description in CALLS.items() if call in numbers},
        simple={
            numbers[call]: simplify(description)
            for call, description in CALLS.items()
            if call in numbers and description.action in SIMPLE_ACTIONS
        },
        names={numbers[call]: call for call in CALLS if call in numbers},
        conditions={numbers[call]: condition for call, condition in CONDITIONS.items() if call in numbers},
        refused=tuple(numbers[call] for call in REFUSED if call in numbers),
        fstat_aliases={numbers[call]: flags for call, flags in FSTAT_ALIASES.items() if call in numbers},
        clone=clone,
        clone3=clone3,
        prctl=numbers.get("prctl", -1),
        awaited=frozenset(
            numbers[call] for call, description in CALLS.items() if call in numbers and description.action in AWAITED
        ),
    )


def native_architectures() -> tuple[Architecture, ...]:
    """Return the interfaces of this machine; raise TracingRefusedError where rtrace cannot trace."""
    interface = own_interface()
    if interface not in SPOKEN:
        raise TracingRefusedError(
            f"rtrace cannot trace on {interface} yet; trace on one of: {', '.join(sorted(SPOKEN))}"
        )
    return tuple(load_architecture(name) for name in SPOKEN[interface])
