"""Whether a version fits what a file asks for, in the language of the file's ecosystem."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtrace.declared.model import Ecosystem

_R_ASKED = re.compile(r"(>=|<=|==|!=|>|<)\s*([0-9][0-9.\-]*)")
_CONDA_ASKED = re.compile(r"(>=|<=|==|!=|~=|>|<|=)?\s*([^\s]+)")
_PARTS = re.compile(r"\d+|[a-z]+")


def fits(ecosystem: Ecosystem, constraint: str, version: str) -> bool | None:
    """Whether a version is one of those that a file asks for; None where that cannot be judged."""
    if not constraint:
        return True
    if ecosystem == "python":
        from rtrace.declared.pep508 import fits_specifiers

        return fits_specifiers(constraint, version)
    if ecosystem == "npm":
        from rtrace.declared.semver import fits_range

        return fits_range(constraint, version)
    if ecosystem == "conda":
        return _fits_conda(constraint, version)
    if ecosystem == "R":
        return _fits_r(constraint, version)
    return fnmatchcase(version, constraint)


def _fits_r(constraint: str, version: str) -> bool | None:
    """Whether a version of R's fits all of ``>= 1.2, < 2``; parts are separated by dots and dashes."""
    found = _R_ASKED.findall(constraint)
    return all(_holds(how, _split(version), _split(asked)) for how, asked in found) if found else None


def _fits_conda(constraint: str, version: str) -> bool | None:
    """Whether a version fits one of conda's, as in ``>=1.2,<2|2.1.*``; ``=1.2`` is 1.2 and all that begins so."""
    return any(all(_fits_conda_part(part.strip(), version) for part in way.split(",")) for way in constraint.split("|"))


def _fits_conda_part(part: str, version: str) -> bool:
    match = _CONDA_ASKED.fullmatch(part)
    if match is None or part == "*":
        return part == "*"
    how, asked = match[1] or "", match[2]
    if asked.endswith("*"):
        beginning = asked.rstrip("*").rstrip(".")
        inside = version == beginning or version.startswith(beginning + ".")
        return not inside if how == "!=" else inside
    if how == "=":
        return version == asked or version.startswith(asked + ".")
    if how == "~=":
        start = _split(asked)
        return _holds(">=", _split(version), start) and _split(version)[: len(start) - 1] == start[:-1]
    return _holds(how or "==", _split(version), _split(asked))


def _split(version: str) -> tuple[tuple[int, str], ...]:
    """Split a version; letters come before numbers, and zeros at the end do not count."""
    parts = [(int(part) if part.isdigit() else -1, "" if part.isdigit() else part) for part in _PARTS.findall(version)]
    while parts and parts[-1] == (0, ""):
        parts.pop()
    return tuple(parts)


def _holds(how: str, one: tuple[tuple[int, str], ...], other: tuple[tuple[int, str], ...]) -> bool:
    return {
        ">=": one >= other,
        "<=": one <= other,
        ">": one > other,
        "<": one < other,
        "!=": one != other,
    }.get(how, one == other)
