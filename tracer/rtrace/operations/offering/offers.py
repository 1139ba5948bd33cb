"""A rule under which two contents of the same command are alike, found by comparing them until nothing differs."""

from __future__ import annotations

import re
from dataclasses import replace
from math import ceil, log10
from typing import TYPE_CHECKING, NamedTuple

from rtrace.manifest.model import Comparison
from rtrace.manifest.reading.comparisons import LONGEST_IGNORED
from rtrace.verify.kinds.contents import find_difference
from rtrace.verify.kinds.model import Judgement, Rule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MOST = 24
"""Differences of one output for which a rule is offered: more of them are no exceptions."""
_LARGEST_TOLERANCE = 1e-3
_LEAST_BEGINNING = 3
_INDEX = re.compile(r"/\d+(?=/|$)")
_LOOKED_AT = 16 << 20


class Offer(NamedTuple):
    """A rule, None where there is no sensible one, and where the two differ first without it."""

    compare: Comparison | None
    where: str


def find_offer(judge: Callable[[Rule], Judgement], expected: Path, found: Path) -> Offer | None:
    """Return the rule under which two contents are alike; None where they are so without one."""
    first = judge(Rule())
    if first.likeness in {"same", "equal", "close"}:
        return None
    where = ", ".join(filter(None, (first.kind, first.place)))
    if judge(Rule(unordered=True)).likeness == "equal":
        return Offer(Comparison(unordered=True), where)
    rule, judgement = Rule(), first
    for _ in range(_MOST):
        wider = _widen(rule, judgement, expected, found)
        if wider is None:
            return Offer(None, where)
        rule, judgement = wider, judge(wider)
        if judgement.likeness in {"same", "equal", "close"}:
            ignore = tuple(pattern.pattern for pattern in rule.ignore)
            return Offer(Comparison(tolerance=rule.tolerance or None, ignore=ignore), where)
    return Offer(None, where)


def _widen(rule: Rule, judgement: Judgement, expected: Path, found: Path) -> Rule | None:
    """Return a rule that also allows the difference that was found; None where no rule does so sensibly."""
    if judgement.likeness != "different" or judgement.kind == "bytes":
        return None
    tolerance = _find_tolerance(judgement)
    if tolerance is not None and rule.tolerance < tolerance <= _LARGEST_TOLERANCE:
        return replace(rule, tolerance=tolerance)
    expression = _find_expression(judgement.place, expected, found)
    if expression is None or len(expression) > LONGEST_IGNORED or rule.find_ignored(expression) is not None:
        return None
    if any(pattern.pattern == expression for pattern in rule.ignore):
        return None
    return replace(rule, ignore=(*rule.ignore, re.compile(expression)))


def _find_tolerance(judgement: Judgement) -> float | None:
    """Return a power of ten within which two numbers are close, ten times as wide as they are apart.

    Whole numbers are none of a measurement: a time in nanoseconds is close to every other one.
    """
    if not all(re.search(r"[.eE]", shown) for shown in (judgement.expected, judgement.found)):
        return None
    try:
        old, new = float(judgement.expected), float(judgement.found)
    except ValueError:
        return None
    relative = abs(old - new) / max(abs(old), abs(new), 1e-300)
    return float(f"1e{ceil(log10(relative)) + 1}") if 0 < relative < 1 else None


def _find_expression(place: str, expected: Path, found: Path) -> str | None:
    """Return what leaves out the place of a difference."""
    if place.startswith("/"):
        path = _INDEX.sub(r"/\\d+", re.escape(place.partition(", line ")[0]).replace(r"\-", "-"))
        return f"^{path}(?:/|$)"
    if column := re.fullmatch(r"row \d+, column (.*[^\d].*)", place):
        return f"^{re.escape(column[1])}$"
    if line := re.fullmatch(r"line (\d+)", place):
        texts = [_read_line(path, int(line[1])) for path in (expected, found)]
        beginning = re.sub(r"[\d.:+-]+$", "", _find_common(texts[0], texts[1]))
        if len(beginning.strip()) >= _LEAST_BEGINNING:
            return f"^{re.escape(beginning)}".replace(r"\ ", " ")
    return None


def _find_common(one: str, other: str) -> str:
    return one[: find_difference(one, other)] if one != other else one


def _read_line(path: Path, number: int) -> str:
    with path.open("rb") as file:
        lines = file.read(_LOOKED_AT).split(b"\n")
    return lines[number - 1].decode("utf-8", "replace") if number <= len(lines) else ""
