"""What a person has edited in a manifest, kept when the manifest is drafted again because a run was added."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.manifest.free_names import FreeNames
from rtrace.manifest.merging.matching import call_alike
from rtrace.manifest.model import Completion, Package

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import TypeVar

    from rtrace.manifest.model import Manifest, NamedFile, Run

    S = TypeVar("S", Package, Completion)
    T = TypeVar("T")


def keep_edits(draft: Manifest, edited: Manifest) -> Manifest:
    """Return a new draft with what a person's manifest says, and in its order.

    Kept are the runs as they stand there, patterns, what becomes of secrets, which packages and completions are packed,
    the names of inputs and outputs, and notices that were added; a run or a name that was taken out stays out. Only the
    last runs are new.
    """
    draft = call_alike(draft, edited)
    gone = _find_gone(draft.runs, edited.runs)
    known = {run.id for run in edited.runs} | gone
    return replace(
        draft,
        runs=_in_order(edited.runs, _without(draft.runs, gone), lambda run: run.id),
        inputs=_merge(edited.inputs, draft.inputs, known, gone),
        outputs=_merge(edited.outputs, draft.outputs, known, gone),
        packages=_merge_switched(edited.packages, draft.packages),
        completion=_merge_switched(edited.completion, draft.completion),
        exclude=edited.exclude,
        include=edited.include,
        ignore=edited.ignore,
        claims=edited.claims,
        secrets=edited.secrets,
        elsewhere=edited.elsewhere,
        notices=_in_order(edited.notices, draft.notices, lambda notice: notice),
    )


def _without(runs: Iterable[Run], gone: frozenset[str]) -> Iterable[Run]:
    """Return the runs that are still there; none of them needs one that is gone."""
    return (
        replace(run, needs=tuple(name for name in run.needs if name not in gone)) for run in runs if run.id not in gone
    )


def _find_gone(drafted: tuple[Run, ...], edited: tuple[Run, ...]) -> frozenset[str]:
    """Return the runs that a person has taken out: those that were drafted before and are gone.

    A run whose tracer was killed never was in a manifest.
    """
    known = {run.id for run in edited}
    last = max((number for number, run in enumerate(drafted) if run.id in known), default=-1)
    return frozenset(
        run.id
        for number, run in enumerate(drafted[:-1])
        if run.id not in known and (number < last or run.finished is not None)
    )


def _merge_switched(edited: tuple[S, ...], drafted: tuple[S, ...]) -> tuple[S, ...]:
    """Return the draft's items in the order of the edited ones, switched on or off as these are."""
    now = dict(_number(drafted, _installed))
    kept = [now[name] for name, _ in _number(edited, _installed) if name in now]
    switches = {_installed(item): item.pack for item in edited} | {_whole(item): item.pack for item in edited}
    merged = _in_order(kept, drafted, _installed)
    return tuple(
        replace(item, pack=switches.get(_whole(item), switches.get(_installed(item), item.pack))) for item in merged
    )


def _installed(item: Package | Completion) -> Hashable:
    """Return what an item is called; two versions of one package have the same."""
    return (item.rule, item.name) if isinstance(item, Completion) else (item.manager, item.name)


def _whole(item: Package | Completion) -> Hashable:
    return item if isinstance(item, Completion) else (item.manager, item.name, item.architecture, item.version)


def _number(items: Iterable[T], key: Callable[[T], Hashable]) -> list[tuple[Hashable, T]]:
    """Return items with names that are unique: of each key the first, the second and so on."""
    seen: Counter[Hashable] = Counter()
    named: list[tuple[Hashable, T]] = []
    for item in items:
        seen[key(item)] += 1
        named.append(((key(item), seen[key(item)]), item))
    return named


def _in_order(first: Iterable[T], drafted: Iterable[T], key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """Return the first items, and each drafted one that is new after the one that is before it in the draft."""
    merged = list(first)
    names = [name for name, _ in _number(merged, key)]
    position = 0
    for name, item in _number(drafted, key):
        if name in names:
            position = names.index(name) + 1
        else:
            merged.insert(position, item)
            names.insert(position, name)
            position += 1
    return tuple(merged)


def _merge(
    edited: Iterable[NamedFile], drafted: Iterable[NamedFile], known: Iterable[str], gone: frozenset[str]
) -> tuple[NamedFile, ...]:
    """Keep the edited names; add the files that the new runs use, under names that are free."""
    known = frozenset(known)
    drafted = [replace(file, runs=tuple(run for run in file.runs if run not in gone)) for file in drafted]
    runs = {file.path: file.runs for file in drafted}
    merged = [
        replace(
            file, runs=tuple(dict.fromkeys((*file.runs, *(run for run in runs.get(file.path, ()) if run not in known))))
        )
        for file in edited
    ]
    paths = {file.path for file in merged}
    free = FreeNames(file.name for file in merged)
    new = (file for file in drafted if file.path not in paths and not known.issuperset(file.runs))
    return (*merged, *(replace(file, name=free.take(file.name)) for file in new))
