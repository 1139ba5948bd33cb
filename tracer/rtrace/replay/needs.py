"""Which runs a replay takes: those that are named, and before each those whose files it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rtrace.manifest.model import Run

MOST_DIGITS = 9
"""More no number of a run has."""


def choose_runs(runs: Sequence[Run], names: Sequence[str], place: Path) -> Sequence[Run]:
    """Return the runs that are named, or all. A name is that of a run, a number, or a range of both: 2, fit, 1-3.

    Raises UsageError for a run that does not exist or is named twice, and for a range that goes backwards.
    """
    chosen: list[Run] = []
    for name in names:
        found = find_range(runs, name)
        if found is None:
            raise UsageError(f"{place} has no run {name!r}; it has: {', '.join(run.id for run in runs)}")
        first, last = found
        if first > last:
            raise UsageError(f"the range {name!r} goes backwards: {runs[first].id} comes after {runs[last].id}")
        for run in runs[first : last + 1]:
            if run in chosen:
                raise UsageError(f"{run.id} is named twice in {' '.join(names)!r}; name each run once")
            chosen.append(run)
    return chosen or runs


def find_range(runs: Sequence[Run], name: str) -> tuple[int, int] | None:
    """Return the places of the first and the last run that a name stands for; what is a run's own name is that run."""
    place = find_run(runs, name)
    if place is not None:
        return place, place
    for at, character in enumerate(name):
        if character != "-":
            continue
        first, last = find_run(runs, name[:at]), find_run(runs, name[at + 1 :])
        if first is not None and last is not None:
            return first, last
    return None


def find_run(runs: Sequence[Run], name: str) -> int | None:
    """Return the place of a run by its own name, or by a number: 2 is run2, the second where no run is called so."""
    places = {run.id: place for place, run in enumerate(runs)}
    if name in places or not (name.isascii() and name.isdigit()):
        return places.get(name)
    number = int(name) if len(name) <= MOST_DIGITS else 0
    return places.get(f"run{number}", number - 1 if 0 < number <= len(runs) else None)


def add_needed(runs: Iterable[Run], chosen: Iterable[Run]) -> tuple[Run, ...]:
    """Return the chosen runs, each after those that it needs and that do not come before it anyway."""
    by_name = {run.id: run for run in runs}
    order = {name: number for number, name in enumerate(by_name)}
    found: list[Run] = []
    done: set[str] = set()
    brought: set[str] = set()
    for run in chosen:
        wanted, pending = {run.id}, [run]
        while pending:
            new = [name for name in pending.pop().needs if name in by_name and name not in wanted]
            wanted.update(new)
            pending += [by_name[name] for name in new]
        if run.id in brought:  # it was named itself, after one that needs it
            brought.remove(run.id)
            continue
        new_ones = sorted(wanted - done - {run.id}, key=order.__getitem__)
        brought.update(new_ones)
        found += [*map(by_name.__getitem__, new_ones), run]
        done |= wanted
    return tuple(found)


def tell_unknown_needs(runs: Sequence[Run], replayed: Sequence[Run]) -> str | None:
    """Return the sentence that earlier runs may be needed, where a bundle does not say which are."""
    first = next((place for place, run in enumerate(runs) if run == replayed[0]), 0)
    if not first or any(run.needs for run in runs):
        return None
    return f"if {replayed[0].id} uses files of {', '.join(run.id for run in runs[:first])}, name these runs, too"
