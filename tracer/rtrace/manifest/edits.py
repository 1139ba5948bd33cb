"""What a person changed in a manifest, carried over to a newer draft of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rtrace.manifest.load import load
from rtrace.manifest.model import Manifest, NamedFile, Package


def keep_edits(draft: Manifest, path: Path) -> Manifest:
    """Return a draft with the edits of the manifest at ``path``: earlier runs, names, packages, patterns.

    Raises ManifestError when what is at ``path`` is no manifest.
    """
    edited = load(path)
    runs = {run.id: run for run in edited.runs}
    left_out = {
        (package.manager, package.name, package.architecture) for package in edited.packages if not package.pack
    }
    return replace(
        draft,
        runs=tuple(runs.get(run.id, run) for run in draft.runs),
        inputs=keep_names(draft.inputs, edited.inputs),
        outputs=keep_names(draft.outputs, edited.outputs),
        packages=tuple(replace(package, pack=key_of(package) not in left_out) for package in draft.packages),
        exclude=edited.exclude,
        include=edited.include,
    )


def key_of(package: Package) -> tuple[str, str, str]:
    """Return what makes a package the same one, whichever its version."""
    return package.manager, package.name, package.architecture


def keep_names(drafted: tuple[NamedFile, ...], edited: tuple[NamedFile, ...]) -> tuple[NamedFile, ...]:
    """Return the edited files with their names, joined by those that only the draft has, under names still free."""
    files = {file.path: file for file in edited}
    names = {file.name for file in edited}
    for file in drafted:
        if file.path in files:
            files[file.path] = replace(files[file.path], runs=file.runs)
            continue
        name, number = file.name, 2
        while name in names:
            name, number = f"{file.name}_{number}", number + 1
        names.add(name)
        files[file.path] = replace(file, name=name)
    return tuple(files.values())
