"""Which run of a manifest is which run of the trace, whatever a person has called it.

A run is known by the moment at which it began, which nobody has a reason to edit; where that was taken out, by its id,
and at last by a command that no other run has. What is left over was taken out of the manifest, or written by hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.manifest.free_names import FreeNames

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from typing import TypeVar

    from rtrace.manifest.model import Manifest, NamedFile, Run

    R = TypeVar("R", bound=Hashable)


def match_runs(traced: Sequence[Run], edited: Sequence[Run]) -> dict[str, str]:
    """Return, by the id of a run in a manifest, the name that it has in the trace; nothing for one written by hand."""
    found: dict[str, str] = {}
    begun = {run.started for run in traced if run.started is not None}
    _match(found, traced, edited, lambda run: (run.id, run.started))
    _match(found, traced, [run for run in edited if run.started is not None], lambda run: run.started)
    copies = {run.id for run in edited if run.started in begun}  # of a run that is there, too
    others = [run for run in edited if run.id not in copies]
    _match(found, traced, others, lambda run: run.id)
    _match(found, traced, others, lambda run: (run.argv, run.workingdir))
    return found


def _match(found: dict[str, str], traced: Iterable[Run], edited: Iterable[Run], key: Callable[[Run], R]) -> None:
    """Add the runs that have a key in common that no other run, not found yet, has."""
    taken = frozenset(found.values())
    there = _index((run for run in traced if run.id not in taken), key)
    here = _index((run for run in edited if run.id not in found), key)
    for value, runs in here.items():
        if len(runs) == len(there.get(value, ())) == 1:
            found[runs[0].id] = there[value][0].id


def _index(runs: Iterable[Run], key: Callable[[Run], R]) -> dict[R, list[Run]]:
    groups: dict[R, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def rename_runs(manifest: Manifest, names: Mapping[str, str]) -> Manifest:
    """Return a manifest in which runs have other ids, wherever they are named."""
    if all(old == new for old, new in names.items()):
        return manifest

    def rename(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(one, one) for one in ids)

    def rename_file(file: NamedFile) -> NamedFile:
        return replace(file, runs=rename(file.runs))

    return replace(
        manifest,
        runs=tuple(replace(run, id=names.get(run.id, run.id), needs=rename(run.needs)) for run in manifest.runs),
        inputs=tuple(map(rename_file, manifest.inputs)),
        outputs=tuple(map(rename_file, manifest.outputs)),
        claims=tuple(replace(claim, run=names.get(claim.run, claim.run)) for claim in manifest.claims),
    )


def call_alike(draft: Manifest, edited: Manifest) -> Manifest:
    """Return a draft whose runs are called as in an edited manifest; one that is new gets an id that is free."""
    names = {traced: mine for mine, traced in match_runs(draft.runs, edited.runs).items()}
    free = FreeNames([run.id for run in edited.runs] + [names[run.id] for run in draft.runs if run.id in names])
    for run in draft.runs:
        if run.id not in names:
            names[run.id] = free.take(run.id)
    return rename_runs(draft, names)


def strip_record(run: Run) -> Run:
    """Return a run without what only a trace can know of it: when it was, how it ended and what it printed."""
    return replace(run, started=None, finished=None, exit_code=None, signal=None, stdout=None, stderr=None)
