"""What a person has edited in a manifest, kept when the manifest is drafted again because a run was added."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.manifest.load import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rtrace.manifest.model import Manifest, NamedFile


def keep_edits(draft: Manifest, path: Path) -> Manifest:
    """Give a new draft with what the manifest at ``path`` says of the runs that it knows. Raises ManifestError.

    Kept are those runs as they stand there, patterns, what becomes of secrets, which packages and completions are
    packed, the names of inputs and outputs, and notices that were added; a name that was taken out stays out.
    """
    edited = load(path)
    known = {run.id: run for run in edited.runs}
    packed = {(package.manager, package.name): package.pack for package in edited.packages}
    completed = {(one.rule, one.name): one.pack for one in edited.completion}
    return replace(
        draft,
        runs=tuple(known.get(run.id, run) for run in draft.runs),
        inputs=_merge(edited.inputs, draft.inputs, known),
        outputs=_merge(edited.outputs, draft.outputs, known),
        packages=tuple(
            replace(package, pack=packed.get((package.manager, package.name), package.pack))
            for package in draft.packages
        ),
        completion=tuple(replace(one, pack=completed.get((one.rule, one.name), one.pack)) for one in draft.completion),
        exclude=edited.exclude,
        include=edited.include,
        secrets=edited.secrets,
        elsewhere=edited.elsewhere,
        notices=tuple(dict.fromkeys((*draft.notices, *edited.notices))),
    )


def _merge(edited: Iterable[NamedFile], drafted: Iterable[NamedFile], known: Iterable[str]) -> tuple[NamedFile, ...]:
    """Keep the edited names; add the files that the new runs use, under names that are free."""
    known = frozenset(known)
    drafted = tuple(drafted)
    runs = {file.path: file.runs for file in drafted}
    merged = [
        replace(
            file, runs=tuple(dict.fromkeys((*file.runs, *(run for run in runs.get(file.path, ()) if run not in known))))
        )
        for file in edited
    ]
    paths = {file.path for file in merged}
    names = {file.name for file in merged}
    for file in drafted:
        if file.path not in paths and not known.issuperset(file.runs):
            name, number = file.name, 1
            while name in names:
                number += 1
                name = f"{file.name}_{number}"
            names.add(name)
            merged.append(replace(file, name=name))
    return tuple(merged)
