"""What a comparison of two contents is asked, and what it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

Likeness: TypeAlias = Literal["same", "equal", "close", "different", "unknown"]
"""``same`` in every byte; ``equal`` in substance; ``close`` within a tolerance; ``unknown``: could not be compared."""

MOST_DEPTH = 8
"""How deep a file in a file in a file is looked into."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How strictly two contents are compared.

    ``tolerance`` is the largest difference of two numbers, relative to the larger of them, ``absolute`` one that is
    allowed whatever their size. What ``ignore`` matches is left out: lines of a text, and paths such as `/meta/created`
    within a tree. ``unordered``: the order of lines or rows does not matter.
    """

    tolerance: float = 0.0
    absolute: float = 0.0
    ignore: tuple[re.Pattern[str], ...] = ()
    unordered: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether numbers have to be equal."""
        return not (self.tolerance or self.absolute)

    def find_ignored(self, text: str) -> str | None:
        """Return the expression by which a line or a path is left out, None where none does."""
        return next((pattern.pattern for pattern in self.ignore if pattern.search(text)), None)

    def ignores(self, text: str) -> bool:
        """Whether a line or a path is left out."""
        return self.find_ignored(text) is not None

    def compare(self, expected: float, found: float) -> Likeness:
        """Compare two numbers; a NaN is equal to another one."""
        if expected == found or (math.isnan(expected) and math.isnan(found)):
            return "equal"
        if math.isinf(expected) or math.isinf(found) or math.isnan(expected) or math.isnan(found):
            return "different"
        allowed = max(self.absolute, self.tolerance * max(abs(expected), abs(found)))
        return "close" if abs(expected - found) <= allowed else "different"


class Judgement(NamedTuple):
    """How two contents are alike.

    ``ignored`` says, a word or two each, in what they differ that does not count; ``place`` where they differ first, in
    the words of their kind, ``expected`` and ``found`` what is there; ``amount`` is the largest difference of two
    numbers. ``note`` is a sentence: why they could not be compared, or what was not.
    """

    likeness: Likeness
    kind: str
    ignored: tuple[str, ...] = ()
    place: str = ""
    expected: str = ""
    found: str = ""
    amount: float | None = None
    note: str = ""


@dataclass(slots=True)
class Findings:
    """Gathers what a comparison finds: the first difference is kept, and the worst likeness of all."""

    kind: str
    rule: Rule
    likeness: Likeness = "equal"
    ignored: dict[str, None] = field(default_factory=dict)
    first: tuple[str, str, str] | None = None
    amount: float | None = None
    note: str = ""

    def ignore(self, *what: str) -> None:
        """Note in what the contents differ that does not count."""
        self.ignored.update(dict.fromkeys(what))

    def leaves_out(self, text: str) -> bool:
        """Whether a rule leaves out a line or a path; which one does is noted."""
        if not self.rule.ignore:
            return False
        expression = self.rule.find_ignored(text)
        if expression is not None:
            self.ignore(f"what {shorten_text(expression, 60)} matches")
        return expression is not None

    def differ(self, place: str, expected: object, found: object) -> None:
        """Note a difference."""
        self.likeness = "different"
        if self.first is None:
            self.first = (place, str(expected), str(found))

    def number(self, place: str, expected: float, found: float) -> None:
        """Compare two numbers."""
        likeness = self.rule.compare(expected, found)
        if likeness == "equal":
            return
        distance = abs(expected - found)
        if not math.isnan(distance) and (self.amount is None or distance > self.amount):
            self.amount = distance
        if likeness == "different":
            self.differ(place, repr(expected), repr(found))
        elif self.likeness == "equal":
            self.likeness = "close"

    def take(self, place: str, inner: Judgement) -> None:
        """Take what was found of a part, which is at a place."""
        self.ignore(*inner.ignored)
        if inner.amount is not None and (self.amount is None or inner.amount > self.amount):
            self.amount = inner.amount
        if inner.likeness == "different":
            self.differ(", ".join(filter(None, (place, inner.place))), inner.expected, inner.found)
        elif inner.likeness == "unknown" and self.likeness != "different":
            self.likeness, self.note = "unknown", f"{place}: {inner.note}"
        elif inner.likeness == "close" and self.likeness == "equal":
            self.likeness = "close"

    def conclude(self) -> Judgement:
        """Return the judgement."""
        place, expected, found = self.first or ("", "", "")
        return Judgement(self.likeness, self.kind, tuple(self.ignored), place, expected, found, self.amount, self.note)


class CannotCompareError(Exception):
    """Why two contents cannot be compared as what they seem to be: a sentence without a full stop."""


class Kind(Protocol):
    """Compares contents of one kind. Other distributions bring theirs by entry points of ``rtrace.comparators``."""

    name: str

    def recognise(self, head: bytes, name: bytes) -> bool:
        """Whether a content is of this kind, by its first 64 KiB and, where that does not tell, its name."""

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:
        """Compare two contents, open at their beginning and seekable, whose bytes differ.

        Raises CannotCompareError, and any other exception for a content that is malformed.
        """


def shorten_text(text: str, most: int = 120) -> str:
    """Return a text that is not longer than so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def list_some(names: Iterable[str], most: int = 3) -> str:
    """Return the first few names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
