"""The comparators that there are.

A new one is a file and a line here. Other distributions add theirs by entry points::

[project.entry-points."rtrace.comparators"]
fits = "rtrace_fits:FITS"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.plugins import find_plugins, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.bundle.entry import Result
    from rtrace.verify.comparators.model import Comparator

GROUP = "rtrace.comparators"
COMPARATORS = {"bytes": "rtrace.verify.comparators.by_bytes:BY_BYTES"}
"""Rtrace's own, the one that knows every file last."""


def list_comparators() -> Iterator[Comparator]:
    """Yield the comparators in the order in which they are asked: those of other distributions first."""
    for address in (*find_plugins(GROUP).values(), *COMPARATORS.values()):
        comparator: Comparator = load(address)
        yield comparator


def find_comparator(expected: Result) -> Comparator:
    """Return the first comparator that knows such a file."""
    return next(comparator for comparator in list_comparators() if comparator.knows(expected))
