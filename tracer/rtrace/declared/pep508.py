"""Requirements, versions and markers of Python, as its packaging specifications have them: the door of `packaging`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as _Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from rtrace.declared.names import normalise_python

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST = 10_000


class Requirement(NamedTuple):
    """A requirement: the normalised name, what versions fit, where it is from if that is no index, and its extras."""

    name: str
    constraint: str
    url: str | None
    extras: tuple[str, ...]
    applies: bool


def parse_requirement(text: str, extras: Collection[str] = ("",)) -> Requirement:
    """Read a requirement; it applies if its marker does for this Python and one of the extras. Raises ValueError."""
    if len(text) > _LONGEST:
        raise ValueError("a requirement of more than ten thousand characters")
    try:
        found = _Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        raise ValueError(str(error).splitlines()[0]) from None
    try:
        applies = found.marker is None or any(found.marker.evaluate({"extra": extra}) for extra in extras)
    except (UndefinedComparison, UndefinedEnvironmentName, RecursionError, KeyError):
        applies = True
    return Requirement(
        normalise_python(found.name), str(found.specifier), found.url, tuple(sorted(found.extras)), applies
    )


def fits_specifiers(constraint: str, version: str) -> bool | None:
    """Whether a version fits specifiers; None where either is not written as the specification says.

    A local part (``+cu121``) counts only where the specifiers have one.
    """
    try:
        return SpecifierSet(constraint).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return None


def is_version(text: str) -> bool:
    """Whether a text is a version."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
