"""The manifest of a trace as rtrace proposes it, for a person to edit. Imported at the end of every `rtrace trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace import __version__
from rtrace.manifest.model import Completion, Manifest, Notice, Package
from rtrace.packages.attribution import Installed
from rtrace.packing.belonging import (
    EXPERIMENT,
    UNOWNED,
    attribute_choices,
    find_experiment,
    fold_words,
    say_belonging,
)
from rtrace.packing.completion import Addition, complete
from rtrace.packing.names import name_files
from rtrace.packing.selection import Choice, resolve_directory, select
from rtrace.trace import reader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from rtrace.manifest.model import Run
    from rtrace.trace.directory import TraceDirectory


def draft_manifest(connection: sqlite3.Connection, directory: TraceDirectory) -> Manifest:
    """Describe a trace: its runs, the files that have a name, the packages that own the rest, and what is missing."""
    runs = reader.read_runs(connection)
    numbers = dict(zip(reader.read_run_names(connection), runs, strict=True))
    world = reader.read_world(connection)
    place = resolve_directory(directory.path)
    choices = [
        choice for choice in select(world, place).choices if choice.before.use and choice.before.type != "directory"
    ]
    attribution = attribute_choices(choices, runs, reader.read_modules(connection))
    owners = attribution.owners
    inputs, outputs = name_files(connection, world, numbers, owners.keys(), place)
    experiment = find_experiment(runs, (*inputs, *outputs), owners.keys(), {choice.before.path for choice in choices})
    belonging = say_belonging(choices, attribution, experiment, owners.keys())
    return Manifest(
        rtrace=__version__,
        runs=runs,
        inputs=inputs,
        outputs=outputs,
        packages=count_packages(choices, owners),
        completion=tuple(
            Completion(one.rule, one.name, len(one.paths), one.size, pack=one.cheap)
            for one in complete_choices(choices)
        ),
        notices=reader.read_notices(connection) + find_unfinished(runs),
        unowned=fold_words(choices, belonging, UNOWNED),
        folders=fold_words(choices, belonging, EXPERIMENT),
    )


def complete_choices(choices: Iterable[Choice]) -> list[Addition]:
    """Say what would complete the files that a run needs; found anew each time, as it is now."""
    whole = [choice.before.path for choice in choices if not choice.placeholder and choice.before.type != "directory"]
    return complete(whole, frozenset(whole))


def count_packages(choices: Iterable[Choice], owners: Mapping[bytes, Installed]) -> tuple[Package, ...]:
    """Add up the files of each package and their sizes; sorted by name."""
    files: dict[Installed, int] = {}
    sizes: dict[Installed, int] = {}
    for choice in choices:
        owner = owners.get(choice.before.path)
        if owner is not None:
            files[owner] = files.get(owner, 0) + 1
            has_content = choice.before.type == "file" and not choice.placeholder
            sizes[owner] = sizes.get(owner, 0) + (choice.before.size if has_content else 0)
    return tuple(
        Package(
            owner.name,
            owner.version,
            owner.architecture,
            owner.manager,
            files=files[owner],
            size=sizes[owner],
            origin=owner.origin,
        )
        for owner in sorted(files)
    )


def find_unfinished(runs: Iterable[Run]) -> tuple[Notice, ...]:
    """Tell of runs whose end the tracer did not live to see."""
    return tuple(
        Notice(
            "unfinished",
            f"{run.id} was cut short: rtrace was killed before the run had ended",
            "what was traced until then is packed; trace again to have all of it",
        )
        for run in runs
        if run.finished is None
    )
