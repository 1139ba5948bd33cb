"""Which unpacker replays: the one that was asked for, or the first of all that can here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.replay.protocol import Candidate, Cautious, Target, Unpacker
from rtrace.replay.registry import AUTO, list_unpackers, load_unpacker

FIRST = "chroot"
"""What is asked first, whatever the ranks of others."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An unpacker, and the sentence to be told where it is not the one that a person would expect."""

    name: str
    unpacker: Unpacker
    told: str | None = None


def choose_unpacker(name: str) -> Chosen:
    """Return the unpacker of a name, or the one that stands in for it; for `AUTO`, the first that can replay here.

    Raises UsageError for an unknown name, and TargetError where none can.
    """
    if name == AUTO:
        return choose_first()
    unpacker = load_unpacker(name)
    stand_in = unpacker.stand_in if isinstance(unpacker, Candidate) else None
    if stand_in is None or stand_in not in list_unpackers():
        return Chosen(name, unpacker)
    problem = ask(unpacker)
    if problem is None:
        return Chosen(name, unpacker)
    other = load_unpacker(stand_in)
    if ask(other) is not None:
        return Chosen(name, unpacker)  # which says itself what keeps it from replaying
    return Chosen(stand_in, other, f"taking {stand_in}, as {name} cannot replay here: {problem}")


def choose_first() -> Chosen:
    """Return the first of the candidates that can replay here. Raises TargetError where none can."""
    problems: list[str] = []
    for name, unpacker in list_candidates():
        problem = ask(unpacker)
        if problem is None:
            told = f"taking {name}, as nothing better can replay here; {'; '.join(problems)}" if problems else None
            return Chosen(name, unpacker, told)
        problems.append(f"{name}: {problem}")
    raise TargetError(f"nothing here can replay it; {'; '.join(problems)}")


def list_candidates() -> Iterator[tuple[str, Unpacker]]:
    """Yield the unpackers that may be taken without being asked for, in their order.

    The others are loaded only when the one that most machines have cannot replay.
    """
    points = list_unpackers()
    if FIRST in points:
        yield FIRST, load_unpacker(FIRST)
    found: list[tuple[int, str, Unpacker]] = []
    for name in points.keys() - {FIRST}:
        try:
            unpacker = load_unpacker(name)
        except ImportError as error:  # what it needs is not installed; whoever names it is told
            debug(__name__, "the unpacker %s cannot be imported: %s", name, error)
            continue
        if isinstance(unpacker, Candidate):
            found.append((unpacker.rank, name, unpacker))
    for _, name, unpacker in sorted(found, key=lambda one: one[:2]):
        yield name, unpacker


def ask(unpacker: Unpacker) -> str | None:
    """Return why an unpacker cannot replay here."""
    return unpacker.find_problem() if isinstance(unpacker, Candidate) else None


def tell_caution(target: Target, warn: Callable[[str], None]) -> None:
    """Say what a replay is not kept from, where it is not isolated, before it begins."""
    caution = target.caution() if isinstance(target, Cautious) else None
    if caution is not None:
        warn(caution)
