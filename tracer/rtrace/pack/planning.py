"""Planning a bundle: from a trace and its manifest to what will be written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace as changed
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.describe.belonging import Belonging, find_experiment, say_belonging
from rtrace.describe.selection import resolve_directory
from rtrace.errors import TraceError
from rtrace.files.hierarchy import SHARED_MEMORY, is_in_memory, is_provided
from rtrace.gc_pause import without_collector
from rtrace.pack.choosing.files import ChosenFiles, choose_files, find_new_packages
from rtrace.pack.choosing.left_elsewhere import LeftElsewhere, leave_elsewhere
from rtrace.pack.choosing.moved import MovedFiles
from rtrace.pack.choosing.notices import (
    describe_gone,
    describe_impossible,
    describe_misplaced,
    describe_unknown_run,
    describe_unmatched,
    describe_without_address,
)
from rtrace.pack.choosing.runs import name_runs, read_manifest, relate_runs
from rtrace.pack.choosing.tree import OPEN_FIFO, FileFacts, ItemTree, build_tree
from rtrace.pack.hiding import (
    drop_secret_paths,
    make_anonymous,
    redact_addresses,
    redact_runs,
    search_files,
    settle_secrets,
)
from rtrace.pack.phases import phase
from rtrace.pack.plan import PackingPlan
from rtrace.pack.records import read_records
from rtrace.pack.target import check_target
from rtrace.pack.written import MOST, decide_on_written
from rtrace.privacy.decisions import Decisions
from rtrace.progress import SILENT, Progress
from rtrace.trace import advise_unreadable
from rtrace.trace.reading import reader
from rtrace.trace.reading.one_run import read_standard_streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.manifest.model import Manifest, Notice, Run
    from rtrace.trace.directory import TraceDirectory
    from rtrace.trace.reading.reader import After

_RESULT_TYPES = frozenset({None, "file", "directory", "symlink", "fifo"})


def plan_packing(  # noqa: PLR0913 -- an argument for each option of `rtrace pack`
    directory: TraceDirectory,
    target: Path,
    *,
    exclude: tuple[bytes, ...] = (),
    include: tuple[bytes, ...] = (),
    ignore: tuple[bytes, ...] = (),
    anonymous: bool = False,
    named: tuple[bytes, ...] = (),
    progress: Progress = SILENT,
    larger_than: int | None = None,
    replace: bool = False,
    most_written: int = MOST,
) -> PackingPlan:
    """Decide what goes into a bundle; ``exclude``, ``include``, ``ignore`` are patterns besides those of the manifest.

    The content of files of more than ``larger_than`` bytes is left out, besides what the manifest says is elsewhere.
    With ``anonymous``, names of the user and the host are replaced; files that ``named`` matches may keep them.
    Of what the runs wrote, ``most_written`` bytes are packed.
    With ``replace``, the target may exist: a plan that is only shown needs no free name either.

    Raises TraceError, ManifestError, and BundleError when the target cannot be written.
    """
    if not replace:
        check_target(target)
    with closing(reader.open_for_reading(directory)) as connection, without_collector():
        try:
            with phase(__name__, "read the manifest"):
                manifest = _add_patterns(read_manifest(connection, directory), exclude, include, ignore)
                manifest = relate_runs(connection, manifest)
            decisions = Decisions(manifest.secrets)
            with phase(__name__, "search the trace for secrets"):
                runs = redact_runs(connection, manifest.runs, decisions)
            with phase(__name__, "choose the files"):
                plan = _plan_files(connection, directory, target, manifest, larger_than)
                plan = changed(redact_addresses(plan, decisions), replace=replace, most_written=most_written)
            with phase(__name__, "search what the runs wrote for secrets"):
                plan = changed(plan, secret_written=decide_on_written(plan, decisions))
            with phase(__name__, "search the files for secrets"):
                plan = search_files(plan, decisions, progress)
            if decisions.values:  # what files and addresses hold may occur in what ran, too
                with phase(__name__, "search the trace again"):
                    runs = redact_runs(connection, manifest.runs, decisions)
            plan = drop_secret_paths(settle_secrets(plan, runs, decisions), decisions)
            return make_anonymous(connection, plan, named) if anonymous else plan
        except sqlite3.Error as error:
            raise TraceError(f"{directory.database} cannot be read ({error}); {advise_unreadable(error)}") from None


def _add_patterns(
    manifest: Manifest, exclude: tuple[bytes, ...], include: tuple[bytes, ...], ignore: tuple[bytes, ...]
) -> Manifest:
    """Return a manifest with further patterns."""
    return changed(
        manifest,
        exclude=tuple(dict.fromkeys((*manifest.exclude, *exclude))),
        include=tuple(dict.fromkeys((*manifest.include, *include))),
        ignore=tuple(dict.fromkeys((*manifest.ignore, *ignore))),
    )


def _plan_files(
    connection: sqlite3.Connection,
    directory: TraceDirectory,
    target: Path,
    manifest: Manifest,
    larger_than: int | None,
) -> PackingPlan:
    """Decide which files are packed from where, with no regard to secrets and names."""
    place = resolve_directory(directory.path)
    chosen = choose_files(reader.read_world(connection), manifest, place, reader.read_modules(connection))
    belonging = _find_belonging(chosen, manifest)
    copies, results = reader.read_copies(connection), reader.read_results(connection)
    snapshots = os.fsencode(directory.snapshots)
    moved = MovedFiles(reader.read_moves(connection), copies, results, snapshots)
    locations = moved.find_all(choice.before for choice in chosen.packed if not choice.placeholder)
    facts = FileFacts(
        packages={path: owner.name for path, owner in chosen.owners.items()},
        labels=belonging.words,
        locations=locations,
        attributes=reader.read_attributes(connection),
        snapshots=snapshots,
    )
    tree = build_tree(chosen.packed, _list_directories(manifest.runs, results), facts)
    left = leave_elsewhere(tree.items, manifest.elsewhere, larger_than)
    run_names = name_runs(connection, manifest.runs)
    debug(
        __name__,
        "%d items, %d of them with content; content under another name: %d, elsewhere: %d; results: %d, snapshots: %d",
        len(left.items),
        sum(item.source is not None for item in left.items),
        len(locations),
        len(left.places),
        len(results),
        len(copies),
    )
    notices = _list_notices(manifest, run_names, chosen, tree, left)
    return PackingPlan(
        directory=directory,
        target=target,
        manifest=changed(
            manifest,
            packages=manifest.packages + find_new_packages(chosen, manifest),
            notices=tuple(dict.fromkeys((*manifest.notices, *notices))),
            unowned=belonging.unowned,
            folders=belonging.experiment,
        ),
        items=left.items,
        results=_choose_results(results, manifest.runs, run_names, place, left.items),
        copies=tuple(copies),
        run_names=run_names,
        notices=notices,
        problems={choice.before.path: choice.before.problem for choice in chosen.packed if choice.before.problem},
        locations=locations,
        elsewhere=left.places,
        owners=chosen.owners,
        records=read_records(directory, _pair_names(connection, run_names)),
        streams={name: read_standard_streams(connection, number) for number, name in run_names.items()},
    )


def _pair_names(connection: sqlite3.Connection, run_names: Mapping[int, str]) -> dict[str, str]:
    """Return the names that runs have in the manifest by those that they have in the trace."""
    traced = reader.read_run_names(connection)
    return {traced[number]: name for number, name in run_names.items()}


def _find_belonging(chosen: ChosenFiles, manifest: Manifest) -> Belonging:
    """Return whom the packed files belong to."""
    packaged = chosen.attribution.owners.keys()
    named = (*manifest.inputs, *manifest.outputs)
    experiment = find_experiment(manifest.runs, named, packaged, chosen.known.keys())
    return say_belonging(chosen.packed, chosen.attribution, experiment, chosen.owners.keys())


def _list_directories(runs: Iterable[Run], results: Iterable[After]) -> list[bytes]:
    """Return the folders that a replay needs in any case: where the runs start, and shared memory if they use it."""
    folders = {run.workingdir for run in runs if not is_provided(run.workingdir)}
    if any(is_in_memory(after.path) and not is_provided(after.path) for after in results):
        folders.add(SHARED_MEMORY)
    return sorted(folders)


def _list_notices(
    manifest: Manifest, run_names: Mapping[int, str], chosen: ChosenFiles, tree: ItemTree, left: LeftElsewhere
) -> tuple[Notice, ...]:
    """Return what there is to tell of the files."""
    homeless = [path for path, one in left.places.items() if one.url is None]
    return (
        *(describe_unknown_run(run.id) for run in manifest.runs if run.id not in run_names.values()),
        *(describe_impossible(path, what) for path, what in chosen.impossible),
        *(describe_misplaced(path, why) for path, why in tree.misplaced),
        *(describe_unmatched(pattern, "include") for pattern in chosen.unmatched),
        *map(describe_gone, chosen.gone),
        *(describe_unmatched(rule.path, "elsewhere") for rule in left.unused),
        *([describe_without_address(homeless)] if homeless else []),
    )


def _choose_results(
    results: Iterable[After], runs: Sequence[Run], run_names: Mapping[int, str], place: bytes, items: Iterable[Item]
) -> tuple[After, ...]:
    """Return the results that travel, in the order of the runs in the manifest.

    A FIFO that is packed as an empty file has no result: a replay leaves a file there.
    """
    positions = {run.id: position for position, run in enumerate(runs)}
    open_fifos = {item.entry.path for item in items if item.entry.reason == OPEN_FIFO}
    kept = (
        after
        for after in results
        if after.run in run_names
        and not after.path.startswith(place + b"/")
        and not is_provided(after.path)
        and after.type in _RESULT_TYPES
        and (after.type != "fifo" or after.path not in open_fifos)
    )
    return tuple(sorted(kept, key=lambda after: positions[run_names[after.run]]))
