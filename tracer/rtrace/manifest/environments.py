"""Environments that several runs have in common: written once, and named by the runs below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.manifest.model import Environment, Run

PREFIX = "as "
"""What stands before the id of the run that has the same environment."""
LIMIT = 256 << 20
"""Bytes that the environments of a manifest may take when each is counted where it is named, 16 more an item."""
_SHARE = 4
"""One variable in so many may be another than in the environment that is named."""
_CANDIDATES = 16
"""How many environments that are written out are compared with one that is not the same as any."""


class Same(NamedTuple):
    """The run above that has the same environment, and the variables that are others here, or more."""

    run: str
    besides: Environment = ()


def find_same(runs: Iterable[Run], wished: Mapping[str, str | None] | None = None) -> dict[str, Same]:
    """Return the run above each run that has the same environment, or nearly so: the first one, or the one wished for.

    A run for which None is wished has its environment written out.
    """
    wished = wished or {}
    above: dict[str, Environment] = {}
    first: dict[Environment, str] = {}
    whole: list[str] = []
    same: dict[str, Same] = {}
    for run in runs:
        places = [first[run.environ]] if run.environ in first else whole[:_CANDIDATES]
        wish = wished.get(run.id, "")
        if wish in above:
            places = [wish, *places]
        found = None
        if run.environ and wish is not None:
            made = ((place, tell_apart(run.environ, above[place])) for place in places)
            found = next((Same(place, besides) for place, besides in made if besides is not None), None)
        if found is None:
            whole.append(run.id)
        else:
            same[run.id] = found
        above[run.id] = run.environ
        first.setdefault(run.environ, run.id)
    return same


def tell_apart(environment: Environment, base: Environment) -> Environment | None:
    """Return the variables that turn one environment into another; None where that is impossible, or not short."""
    if environment == base:
        return ()
    known = dict(base)
    besides = tuple((name, value) for name, value in environment if name not in known or known[name] != value)
    if len(besides) * _SHARE > len(environment) or any(value is None for _, value in besides):
        return None
    return besides if add_variables(base, besides) == environment else None


def add_variables(base: Environment, besides: Environment) -> Environment:
    """Return an environment with changed values in their places, and new variables at its end."""
    if not besides:
        return base
    found = {variable[0]: variable for variable in base}  # of a thousand runs, each has the variables of the first
    found.update((variable[0], variable) for variable in besides)
    return tuple(found.values())


def measure(environment: Environment) -> int:
    """Count what an environment takes towards the limit."""
    return sum(len(name) + len(value or b"") + 16 for name, value in environment)
