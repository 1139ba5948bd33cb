"""What a comparator is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from rtrace.bundle.entry import Result

Reason: TypeAlias = Literal[
    "exit status",  # another one
    "size",  # of a file or stream, in bytes
    "content",  # as many bytes, and not the same ones
    "mode",  # other permissions
    "type",  # another kind of file
    "target",  # a symbolic link leads elsewhere
    "still there",  # the original run removed it
    "not written",  # what is there came with the bundle
    "not told",  # whether the replay wrote it cannot be told
    "no digest",  # the bundle does not hold the original's
    "not recorded",  # what the original wrote was not
    "not read",  # the replay's cannot be read
    "not compared",  # no run is known to have written it
    "end not seen",  # of the original run
    "interrupted",  # the original run was
    "limit",  # a limit ended the replay
    "input",  # some of the original's input is not in the bundle
    "package",  # a package of the run is not in the bundle
]
"""Why a line is not the same, as words that a program can rely on."""


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
