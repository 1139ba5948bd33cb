"""Ranges of versions as npm has them: https://semver.org and node-semver's documentation of ranges."""

from __future__ import annotations

import re
from typing import TypeAlias

_NUMBER = r"(0|[1-9]\d{0,15}|[xX*])"
_PARTIAL = re.compile(rf"[v=\s]*{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?)?")
_COMPARATOR = re.compile(r"(>=|<=|>|<|=|\^|~>?)?\s*(\S+)")
_HYPHEN = re.compile(r"\s*(\S+)\s+-\s+(\S+)\s*")
_SPACES = re.compile(r"(>=|<=|>|<|=|\^|~>?)\s+")
_LONGEST = 256

Order: TypeAlias = "tuple[int, int, int, tuple[tuple[int, int, str], ...]]"
_RELEASE = ((2, 0, ""),)


def fits_range(wanted: str, version: str) -> bool | None:
    """Whether a version is in a range; None where the range is none: an address, a tag, a file."""
    if len(wanted) > _LONGEST:
        return None
    found = _read(version)
    if found is None or None in found[:3]:
        return None
    order = _order(found)
    fitting = False
    for way in wanted.split("||"):
        bounds = _read_way(way)
        if bounds is None:
            return None
        fitting = fitting or all(lower <= order < upper for lower, upper in bounds)
    return fitting


_Partial: TypeAlias = "tuple[int | None, int | None, int | None, str]"


def _read(text: str) -> _Partial | None:
    """Read a version; None for the parts that are left out, or any."""
    match = _PARTIAL.fullmatch(text.strip())
    if match is None:
        return None
    numbers: list[int | None] = []
    for part in match.group(1, 2, 3):
        is_any = part is None or part in "xX*" or (bool(numbers) and numbers[-1] is None)
        numbers.append(None if is_any else int(part))
    return numbers[0], numbers[1], numbers[2], match[4] or ""


def _order(version: _Partial) -> Order:
    """Return what sorts a version: one before a release comes before it, numbers before words."""
    major, minor, patch, before = version
    parts = (
        tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in before.split("."))
        if before
        else _RELEASE
    )
    return major or 0, minor or 0, patch or 0, parts


_LOWEST: tuple[tuple[int, int, str], ...] = ()
_TOP: Order = (10**17, 0, 0, _LOWEST)


def _read_way(way: str) -> list[tuple[Order, Order]] | None:
    """Return what lies between the bounds of one alternative; None where it is no range."""
    hyphen = _HYPHEN.fullmatch(way)
    words = [f">={hyphen[1]}", f"<={hyphen[2]}"] if hyphen else _SPACES.sub(r"\1", way).split()
    bounds = []
    for word in words or ["*"]:
        match = _COMPARATOR.fullmatch(word)
        version = _read(match[2]) if match else None
        if match is None or version is None:
            return None
        bounds.append(_bound(match[1] or "", version))
    return bounds


def _bound(how: str, version: _Partial) -> tuple[Order, Order]:
    major, minor, _patch, _before = version
    start, after = _order(version), _after(version)
    if major is None:
        return (0, 0, 0, _LOWEST), (_TOP if how not in {"<", ">"} else (0, 0, 0, _LOWEST))
    if how == ">=":
        return start, _TOP
    if how == ">":
        return (after if None in version[:3] else (*start[:3], (*start[3], (9, 0, "")))), _TOP
    if how == "<":
        return (0, 0, 0, _LOWEST), (start if version[3] else (*start[:3], _LOWEST))
    if how == "<=":
        return (0, 0, 0, _LOWEST), after
    if how == "^":
        return start, _caret(version)
    if how.startswith("~"):
        upper = (major + 1, 0, 0, _LOWEST) if minor is None else (major, minor + 1, 0, _LOWEST)
        return start, upper
    return start, after


def _after(version: _Partial) -> Order:
    """Return the first version that is no longer one of these."""
    major, minor, patch, _ = version
    if major is None:
        return _TOP
    if minor is None:
        return major + 1, 0, 0, _LOWEST
    if patch is None:
        return major, minor + 1, 0, _LOWEST
    order = _order(version)
    return (*order[:3], (*order[3], (0, 0, "")))


def _caret(version: _Partial) -> Order:
    major, minor, patch, _ = version
    if major or minor is None:
        return (major or 0) + 1, 0, 0, _LOWEST
    if minor or patch is None:
        return 0, minor + 1, 0, _LOWEST
    return 0, 0, patch + 1, _LOWEST
