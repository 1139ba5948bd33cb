"""A check: a sentence of the protocol that is true of an unpacker, or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Ending: TypeAlias = Literal["ok", "FAILED", "skipped"]


class BrokenPromiseError(Exception):
    """What a check found, as a sentence."""


class CannotTellError(Exception):
    """Why a check says nothing of this target, as a sentence."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and the work on a `Bench` that finds out.

    ``refusable``: a target may refuse it in a sentence, which counts as skipped.
    """

    name: str
    sentence: str
    work: Callable[..., None]
    refusable: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """How a check ended, and why where it is not ok."""

    check: Check
    ending: Ending
    why: str = ""


class Checks(list[Check]):
    """The checks of a module, in their order."""

    def add(self, name: str, sentence: str, *, refusable: bool = False) -> Callable[[Callable[..., None]], None]:
        """Return what makes a check of a function."""

        def register(work: Callable[..., None]) -> None:
            self.append(Check(name, sentence, work, refusable))

        return register


def expect(promise: bool, found: str) -> None:  # noqa: FBT001 -- it reads like an assertion
    """Raise BrokenPromiseError with what was found where a promise is not kept."""
    if not promise:
        raise BrokenPromiseError(found)


def expect_same(what: str, found: object, wanted: object) -> None:
    """Raise BrokenPromiseError where two values differ."""
    expect(found == wanted, f"{what}: {shorten(found)}, and not {shorten(wanted)}")


LONGEST = 200
"""Characters of a value in a sentence."""


def shorten(value: object) -> str:
    """Return a value as a sentence can hold it."""
    shown = repr(value)
    return shown if len(shown) <= LONGEST else f"{shown[:160]} ... ({len(shown)} characters)"
