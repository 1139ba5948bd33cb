"""The manifest of a trace as rtrace proposes it, for a person to edit. Imported at the end of every `rtrace trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace import __version__
from rtrace.manifest.model import Completion, Folder, Manifest, Notice, Package
from rtrace.packages.attribution import Installed, find_owners
from rtrace.packing.completion import Addition, complete
from rtrace.packing.names import name_files
from rtrace.packing.selection import Choice, resolve_directory, select
from rtrace.trace import reader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from rtrace.manifest.model import Run
    from rtrace.trace.directory import TraceDirectory

_MOST_FOLDERS = 16
_DEEPEST = 12


def draft_manifest(connection: sqlite3.Connection, directory: TraceDirectory) -> Manifest:
    """Describe a trace: its runs, the files that have a name, the packages that own the rest, and what is missing."""
    runs = reader.read_runs(connection)
    numbers = dict(zip(reader.read_run_names(connection), runs, strict=True))
    world = reader.read_world(connection)
    place = resolve_directory(directory.path)
    choices = [
        choice for choice in select(world, place).choices if choice.before.use and choice.before.type != "directory"
    ]
    owners = find_owners([choice.before.path for choice in choices])
    inputs, outputs = name_files(connection, world, numbers, owners.keys(), place)
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
        folders=fold_folders(
            choice.before for choice in choices if not choice.placeholder and choice.before.path not in owners
        ),
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
    return tuple(Package(*owner, files=files[owner], size=sizes[owner]) for owner in sorted(files))


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


def fold_folders(files: Iterable[reader.Before]) -> tuple[Folder, ...]:
    """Add files up by folder, as deep as possible with no more folders than fit on a screen."""
    counts: dict[bytes, tuple[int, int]] = {}
    for before in files:
        if before.type == "file":
            folder = before.path.rpartition(b"/")[0] or b"/"
            number, size = counts.get(folder, (0, 0))
            counts[folder] = (number + 1, size + before.size)
    depth = _DEEPEST
    while len(counts) > _MOST_FOLDERS and depth > 1:
        folded: dict[bytes, tuple[int, int]] = {}
        for folder, (number, size) in counts.items():
            shorter = b"/".join(folder.split(b"/")[: depth + 1])
            before_number, before_size = folded.get(shorter, (0, 0))
            folded[shorter] = (before_number + number, before_size + size)
        counts = folded
        depth -= 1
    return tuple(Folder(folder, *counts[folder]) for folder in sorted(counts))
