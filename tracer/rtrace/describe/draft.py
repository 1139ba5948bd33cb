"""The manifest of a trace as rtrace proposes it, for a person to edit. Imported at the end of every `rtrace trace`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rtrace import __version__
from rtrace.describe.belonging import attribute_choices, find_experiment, say_belonging
from rtrace.describe.completion import Addition, complete
from rtrace.describe.concern import Concern, find_homes
from rtrace.describe.names import find_files, name_files
from rtrace.describe.selection import Choice, resolve_directory, select
from rtrace.gc_pause import without_collector
from rtrace.manifest.incompleteness import UNFINISHED
from rtrace.manifest.model import Completion, Manifest, Notice, Package
from rtrace.packages.model import Installed
from rtrace.trace.reading import reader
from rtrace.trace.reading.dependence import read_needs
from rtrace.trace.schema import Use
from rtrace.trace.treatment import Treatment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping

    from rtrace.manifest.model import Run
    from rtrace.trace.directory import TraceDirectory

_EXECUTE = int(Use.EXECUTE)
_LOOKED = frozenset({Treatment.LOOKED_UP, Treatment.LISTED})


class Draft(NamedTuple):
    """A manifest, and what was found out for it: which package owns a path, and which files are a person's."""

    manifest: Manifest
    owners: Mapping[bytes, Installed]
    concern: Concern


def draft_manifest(connection: sqlite3.Connection, directory: TraceDirectory) -> Manifest:
    """Describe a trace: its runs, the files that have a name, the packages that own the rest, and what is missing."""
    return make_draft(connection, directory).manifest


def make_draft(connection: sqlite3.Connection, directory: TraceDirectory) -> Draft:
    """Describe a trace, for those who need to know more than its manifest says."""
    with without_collector():
        return _draft(connection, directory)


def _draft(connection: sqlite3.Connection, directory: TraceDirectory) -> Draft:
    names, needs = reader.read_run_names(connection), read_needs(connection)
    numbers = {
        number: replace(run, needs=tuple(names[one] for one in needs.get(number, ())))
        for number, run in zip(names, reader.read_runs(connection), strict=True)
    }
    runs = tuple(numbers.values())
    world = reader.read_world(connection)
    place = resolve_directory(directory.path)
    choices = [
        choice for choice in select(world, place).choices if choice.before.use and choice.before.type != "directory"
    ]
    attribution = attribute_choices(choices, runs, reader.read_modules(connection))
    owners = attribution.owners
    files = find_files(connection, world, find_homes(runs), owners.keys(), place)
    inputs, outputs = name_files(connection, world, numbers, files)
    chosen = {choice.before.path: choice for choice in choices}
    experiment = find_experiment(runs, (*inputs, *outputs), owners.keys(), chosen.keys())
    belonging = say_belonging(choices, attribution, experiment, owners.keys())
    manifest = Manifest(
        rtrace=__version__,
        runs=runs,
        inputs=inputs,
        outputs=outputs,
        packages=count_packages(chosen, owners),
        completion=tuple(
            Completion(one.rule, one.name, len(one.paths), one.size, pack=one.cheap)
            for one in complete_choices(choices)
        ),
        notices=reader.read_notices(connection) + find_unfinished(runs),
        unowned=belonging.unowned,
        folders=belonging.experiment,
    )
    return Draft(manifest, owners, files.concern)


def complete_choices(choices: Collection[Choice]) -> list[Addition]:
    """Return what would complete the files that a run needs; found anew each time, as it is now."""
    whole = [choice for choice in choices if not choice.placeholder and choice.before.type != "directory"]
    paths = [choice.before.path for choice in whole]
    executed = {choice.before.path for choice in whole if choice.before.use & _EXECUTE}
    looked = {
        choice.before.path: choice.before.size
        for choice in choices
        if choice.placeholder and choice.before.type == "file" and choice.before.treatment in _LOOKED
    }
    return complete(paths, frozenset(paths), executed, looked)


def count_packages(chosen: Mapping[bytes, Choice], owners: Mapping[bytes, Installed]) -> tuple[Package, ...]:
    """Add up the files of each package and their sizes; sorted by name. ``chosen`` holds all of them by path."""
    counts: dict[Installed, list[int]] = {}
    for path, owner in owners.items():
        before, _, placeholder = chosen[path]
        count = counts.setdefault(owner, [0, 0])
        count[0] += 1
        count[1] += before.size if before.type == "file" and not placeholder else 0
    return tuple(
        Package(
            owner.name,
            owner.version,
            owner.architecture,
            owner.manager,
            files=files,
            size=size,
            origin=owner.origin,
        )
        for owner, (files, size) in sorted(counts.items())
    )


def find_unfinished(runs: Iterable[Run]) -> tuple[Notice, ...]:
    """Return notices on runs whose end the tracer did not live to see, and of those that somebody ended."""
    runs = tuple(runs)
    return tuple(
        Notice(
            UNFINISHED,
            f"{run.id} was cut short: rtrace was killed before the run had ended",
            "what was traced until then is packed; trace again to have all of it",
        )
        for run in runs
        if run.finished is None
    ) + tuple(
        Notice(
            UNFINISHED,
            f"{run.id} was {run.interruption}: what it had not done by then is not in the trace",
            "trace again to have all of it",
        )
        for run in runs
        if run.finished is not None and run.interruption is not None
    )
