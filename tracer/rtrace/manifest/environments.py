"""Environments that several runs have in common: written once, and named by the runs below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.manifest.model import Environment, Run

PREFIX = "as "
"""What stands before the id of the run that has the same environment."""
LIMIT = 256 << 20
"""Bytes that the environments of a manifest may take when each is counted where it is named, 16 more an item."""


def find_same(runs: Iterable[Run], wished: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Tell for each run whose environment a run above it has, too, which one that is: the first, or the one wished for.

    A run for which None is wished has its environment written out.
    """
    wished = wished or {}
    first: dict[Environment, str] = {}
    above: dict[str, Environment] = {}
    same: dict[str, str] = {}
    for run in runs:
        wish = wished.get(run.id, first.get(run.environ))
        if run.environ and wish is not None and run.environ in first:
            same[run.id] = wish if above.get(wish) == run.environ else first[run.environ]
        first.setdefault(run.environ, run.id)
        above[run.id] = run.environ
    return same


def measure(environment: Environment) -> int:
    """Count what an environment takes towards the limit."""
    return sum(len(name) + len(value or b"") + 16 for name, value in environment)
