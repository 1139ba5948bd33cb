"""What a comparator is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from rtrace.bundle.entry import Result
    from rtrace.verify.verdicts import Reason


class Difference(NamedTuple):
    """In what two things differ: a word that a program can rely on, and words for a person."""

    reason: Reason
    detail: str


class Comparator(Protocol):
    """Tells how the content of an output differs from the original's; that it does is known from size and digest.

    A bundle has no content of outputs, so path, size and digest are what there is to tell from.
    """

    def knows(self, expected: Result) -> bool:
        """Whether it has something to say of such a file."""

    def describe(self, expected: Result, found: Result) -> Difference:
        """Return how the content that was found differs from the expected one."""
