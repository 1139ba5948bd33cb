"""The combinations of a sweep: the product of its values, each with a name for its folder."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.errors import UsageError

if TYPE_CHECKING:
    from rtrace.sweep.axes import Axis

MOST_COMBINATIONS = 10_000
"""So many are replayed without being asked whether that was meant."""
_LONGEST_NAME = 120
"""Bytes of a folder's name; some file systems take 143 at most, and names are made longer while something is made."""
_UNSAFE = re.compile(rb"[^A-Za-z0-9._+-]")


@dataclass(frozen=True, slots=True)
class Combination:
    """A value for each axis, in their order; ``number`` is 0 for the first."""

    number: int
    values: tuple[str, ...]
    name: str
    """Of its folder: safe in every shell and file system, and another one for each combination."""


def make_combinations(axes: Sequence[Axis], most: int = MOST_COMBINATIONS) -> tuple[Combination, ...]:
    """Return all combinations; the values of the last axis change fastest. Raises UsageError for too many."""
    number = math.prod(len(axis.values) for axis in axes)
    if number > most:
        raise UsageError(
            f"the sweep has {number:,} combinations, more than {most:,}; "
            f"name fewer values, or allow so many with --most-combinations {number}"
        )
    product = itertools.product(*(axis.values for axis in axes))
    return tuple(Combination(place, values, name_folder(axes, values)) for place, values in enumerate(product))


def name_folder(axes: Sequence[Axis], values: Sequence[str]) -> str:
    """Return ``NAME=VALUE,NAME=VALUE``, where what may mean anything to a shell or a file system is ``%XX``."""
    pairs = zip((axis.label for axis in axes), values, strict=True)
    whole = ",".join(f"{quote_name(label)}={quote_name(value)}" for label, value in pairs)
    if whole[0] in ".-":
        whole = f"%{ord(whole[0]):02X}{whole[1:]}"
    if len(whole) <= _LONGEST_NAME:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
    return f"{whole[: _LONGEST_NAME - len(digest) - 1].rstrip('%')}~{digest}"


def quote_name(text: str) -> str:
    """Return a text as a part of a file's name; another text gives another one."""
    return _UNSAFE.sub(lambda match: b"%%%02X" % ord(match[0]), os.fsencode(text)).decode("ascii")
