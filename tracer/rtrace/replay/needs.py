"""Which runs a replay takes: those that are named, and before each those whose files it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rtrace.manifest.model import Run


def choose_runs(runs: Sequence[Run], names: Sequence[str], place: Path) -> Sequence[Run]:
    """Return the runs that are named, or all. Raises UsageError for a run that does not exist."""
    by_name = {run.id: run for run in runs}
    for name in names:
        if name not in by_name:
            raise UsageError(f"{place} has no run {name!r}; it has: {', '.join(by_name)}")
    return [by_name[name] for name in names] or runs


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
