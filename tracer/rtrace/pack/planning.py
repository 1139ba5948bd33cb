"""Planning a bundle: from a trace and its manifest to what will be written."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.describe.belonging import find_experiment, say_belonging
from rtrace.describe.draft import draft_manifest, find_unfinished
from rtrace.describe.internals import Internals
from rtrace.describe.selection import resolve_directory, select
from rtrace.errors import BundleError, TraceError
from rtrace.files.hierarchy import SHARED_MEMORY, is_in_memory, is_provided
from rtrace.files.patterns import Patterns
from rtrace.gc_pause import without_collector
from rtrace.manifest.merging.matching import match_runs, strip_record
from rtrace.pack.absence import leave_elsewhere
from rtrace.pack.addresses import conceal_addresses
from rtrace.pack.choosing import add_completed, add_included, find_new_packages, leave_out_packages
from rtrace.pack.entries import OPEN_FIFO, build_tree
from rtrace.pack.moved import Finder
from rtrace.pack.notices import (
    tell_gone,
    tell_homeless,
    tell_impossible,
    tell_interference,
    tell_lost_run,
    tell_misplaced,
    tell_telling,
    tell_unknown_run,
    tell_unmatched,
)
from rtrace.pack.plan import PackingPlan
from rtrace.privacy.decisions import Concealment
from rtrace.privacy.files import SecretFiles
from rtrace.privacy.rewriting import rewrite_value
from rtrace.progress import SILENT, Progress
from rtrace.trace import reader
from rtrace.trace.between import read_interferences
from rtrace.trace.dependence import read_needs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rtrace.manifest.model import Manifest, Run
    from rtrace.trace.directory import TraceDirectory

_MOST_INTERFERENCES = 8
"""Files changed between runs that are named one by one."""


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
) -> PackingPlan:
    """Decide what goes into a bundle; ``exclude``, ``include``, ``ignore`` are patterns besides those of the manifest.

    The content of files of more than ``larger_than`` bytes is left out, besides what the manifest says is elsewhere.
    With ``anonymous``, names of the user and the host are replaced; in files that ``named`` matches they may stay.

    Raises TraceError, ManifestError, and BundleError when the target exists.
    """
    if os.path.lexists(target):
        raise BundleError(f"{target} exists already; remove it or name another file")
    with closing(reader.open_for_reading(directory)) as connection, without_collector():
        try:
            manifest = _read_manifest(connection, directory)
            manifest = replace(
                manifest,
                exclude=tuple(dict.fromkeys((*manifest.exclude, *exclude))),
                include=tuple(dict.fromkeys((*manifest.include, *include))),
                ignore=tuple(dict.fromkeys((*manifest.ignore, *ignore))),
            )
            manifest = _tell_interferences(connection, _settle_needs(connection, manifest))
            concealment = Concealment(manifest.secrets)
            runs = _look_at_runs(connection, manifest, concealment)
            plan = _plan(connection, directory, target, manifest, larger_than, concealment)
            plan = conceal_addresses(plan)
            plan = replace(plan, items=plan.secret_files.look_at(plan.items, progress))
            if concealment.known:  # what files and addresses hold may stand there, too
                runs = _look_at_runs(connection, manifest, concealment)
            plan = _without_known_secrets(replace(plan, manifest=replace(plan.manifest, runs=runs)).tell_secrets())
            if not anonymous:
                return plan
            from rtrace.privacy.anonymous.disguise import Disguise

            disguise = Disguise(connection, plan.manifest, directory.streams, named)
            return replace(plan, items=disguise.arrange(plan.items), disguise=disguise)
        except sqlite3.Error as error:
            raise TraceError(f"{directory.database} cannot be read ({error}); trace again with --overwrite") from None


def _tell_interferences(connection: sqlite3.Connection, manifest: Manifest) -> Manifest:
    """Tell of what was done to files of the runs between these, caches, logs and what is included by hand apart."""
    found = read_interferences(connection)
    if not found:
        return manifest
    names = name_runs(connection, manifest.runs)
    included = Patterns(manifest.include)
    internals = Internals((one.path for one in found), {run.workingdir for run in manifest.runs})
    told = [
        tell_interference(one.path, one.how, names[one.earlier], names[one.run])
        for one in found
        if one.earlier in names
        and one.run in names
        and not is_provided(one.path)
        and not internals.has(one.path)
        and not included.match(one.path)
    ]
    if len(told) > _MOST_INTERFERENCES:
        more = len(told) - _MOST_INTERFERENCES
        rest = told[_MOST_INTERFERENCES]
        told[_MOST_INTERFERENCES:] = [replace(rest, what=f"{rest.what}; and {more - 1} more files")]
    return replace(manifest, notices=tuple(dict.fromkeys((*manifest.notices, *told))))


def _plan(
    connection: sqlite3.Connection,
    directory: TraceDirectory,
    target: Path,
    manifest: Manifest,
    larger_than: int | None,
    concealment: Concealment,
) -> PackingPlan:
    place = resolve_directory(directory.path)
    excluded = Patterns(manifest.exclude)
    selection = select(reader.read_world(connection), place, excluded.match if manifest.exclude else None)
    choices, unmatched, gone = add_included(selection, manifest, excluded, place)
    chosen = add_completed(choices, manifest, excluded)
    choices = list(chosen.values())
    modules = reader.read_modules(connection)
    choices, owners, attribution = leave_out_packages(choices, chosen, manifest, modules)
    experiment = find_experiment(
        manifest.runs,
        (*manifest.inputs, *manifest.outputs),
        attribution.owners.keys(),
        chosen.keys(),
    )
    belonging = say_belonging(choices, attribution, experiment, owners.keys())
    copies, results = reader.read_copies(connection), reader.read_results(connection)
    finder = Finder(reader.read_moves(connection), copies, results, os.fsencode(directory.snapshots))
    whereabouts = finder.find_all(choice.before for choice in choices if not choice.placeholder)
    workingdirs = {run.workingdir for run in manifest.runs if not is_provided(run.workingdir)}
    if any(is_in_memory(after.path) and not is_provided(after.path) for after in results):
        workingdirs.add(SHARED_MEMORY)
    tree = build_tree(
        choices,
        sorted(workingdirs),
        {path: owner.name for path, owner in owners.items()},
        belonging.words,
        os.fsencode(directory.snapshots),
        whereabouts,
        reader.read_attributes(connection),
    )
    items, elsewhere, unused = leave_elsewhere(tree.items, manifest.elsewhere, larger_than)
    names = name_runs(connection, manifest.runs)
    notices = (
        *(tell_unknown_run(run.id) for run in manifest.runs if run.id not in names.values()),
        *(tell_impossible(path, what) for path, what in selection.impossible),
        *(tell_misplaced(path, why) for path, why in tree.misplaced),
        *(tell_unmatched(pattern, "include") for pattern in unmatched),
        *map(tell_gone, gone),
        *(tell_unmatched(one.path, "elsewhere") for one in unused),
        *(tell_homeless(path) for path, one in elsewhere.items() if one.url is None),
    )
    order = {number: place for place, run in enumerate(manifest.runs) for number in names if names[number] == run.id}
    open_fifos = {item.entry.path for item in items if item.entry.reason == OPEN_FIFO}
    return PackingPlan(
        directory=directory,
        target=target,
        manifest=replace(
            manifest,
            packages=manifest.packages + find_new_packages(chosen, owners, manifest),
            notices=tuple(dict.fromkeys((*manifest.notices, *notices))),
            unowned=belonging.unowned,
            folders=belonging.experiment,
        ),
        items=items,
        results=tuple(
            after
            for after in sorted(results, key=lambda after: order.get(after.run, 0))
            if after.run in names
            and not after.path.startswith(place + b"/")
            and not is_provided(after.path)
            and after.type in {None, "file", "directory", "symlink", "fifo"}
            and (after.type != "fifo" or after.path not in open_fifos)
        ),
        copies=tuple(copies),
        run_names=names,
        notices=notices,
        problems={choice.before.path: choice.before.problem for choice in choices if choice.before.problem},
        whereabouts=whereabouts,
        concealment=concealment,
        secret_files=SecretFiles(concealment),
        elsewhere=elsewhere,
        owners=owners,
    )


def _look_at_runs(connection: sqlite3.Connection, manifest: Manifest, concealment: Concealment) -> tuple[Run, ...]:
    """Find the secrets in what ran, and give the runs of the manifest without them."""
    concealment.look_at_trace(connection)
    return tuple(map(concealment.conceal_run, manifest.runs))


def _without_known_secrets(plan: PackingPlan) -> PackingPlan:
    """Take what was found to be secret in what ran out of names, and leave out the files whose names tell it."""
    concealment = plan.concealment
    if not concealment.known:
        return plan
    telling = {
        item.entry.path
        for item in plan.items
        if concealment.is_known_in(item.entry.path) or concealment.is_known_in(item.entry.target or b"")
    }
    telling |= {after.path for after in plan.results if concealment.is_known_in(after.path)}
    found = tuple(tell_telling(concealment.conceal(path)) for path in sorted(telling))
    notices = tuple(dict.fromkeys((*plan.manifest.notices, *found)))
    return replace(
        plan,
        manifest=rewrite_value(replace(plan.manifest, notices=notices), concealment.conceal),
        items=tuple(
            item for item in plan.items if not telling.intersection((item.entry.path, item.entry.link, item.entry.twin))
        ),
        results=tuple(after for after in plan.results if after.path not in telling),
        notices=(*plan.notices, *found),
        elsewhere={path: rewrite_value(one, concealment.conceal) for path, one in plan.elsewhere.items()},
    )


def _read_manifest(connection: sqlite3.Connection, directory: TraceDirectory) -> Manifest:
    """Read the manifest that a person may have edited; where there is none (a killed tracer), draft it.

    What could not be captured is a fact of the trace: it is told of the runs that are packed, whatever became of it in
    the manifest.
    """
    if not directory.manifest.exists():
        return draft_manifest(connection, directory)
    from rtrace.manifest.reading.load import load

    manifest = load(directory.manifest)
    traced = reader.read_runs(connection)
    names = match_runs(traced, manifest.runs)
    by_name = {run.id: run for run in traced}
    found = [(mine, by_name[name]) for mine, name in names.items()]
    told = {notice for mine, run in found if mine != run.id for notice in find_unfinished([run])}
    facts = (
        *reader.read_notices(connection, frozenset(names.values())),
        *find_unfinished(replace(run, id=mine) for mine, run in found),
    )
    kept = (notice for notice in manifest.notices if notice not in told)  # by the name that the run had before
    return replace(
        manifest,
        runs=tuple(run if run.id in names else strip_record(run) for run in manifest.runs),
        notices=tuple(dict.fromkeys((*facts, *kept))),
    )


def _settle_needs(connection: sqlite3.Connection, manifest: Manifest) -> Manifest:
    """Say of the runs in a manifest of before what they need, and tell of what those wrote that were taken out."""
    needs = read_needs(connection)
    if not needs:
        return manifest
    names, traced = name_runs(connection, manifest.runs), reader.read_run_names(connection)
    if not any(run.needs for run in manifest.runs):
        order = {run.id: place for place, run in enumerate(manifest.runs)}
        wanted = {names[number]: [names[one] for one in needs.get(number, ()) if one in names] for number in names}
        runs = (
            replace(run, needs=tuple(one for one in wanted.get(run.id, ()) if order[one] < order[run.id]))
            for run in manifest.runs
        )
        manifest = replace(manifest, runs=tuple(runs))
    lost = (
        tell_lost_run(names[number], traced[one], may_be_there=bool(manifest.include))
        for number in sorted(needs.keys() & names.keys())
        for one in needs[number]
        if one not in names
    )
    return replace(manifest, notices=tuple(dict.fromkeys((*manifest.notices, *lost))))


def name_runs(connection: sqlite3.Connection, runs: Sequence[Run]) -> dict[int, str]:
    """Give the ids in a manifest of the trace's runs, by their numbers; of those that were taken out, none."""
    mine = {traced: name for name, traced in match_runs(reader.read_runs(connection), runs).items()}
    return {number: mine[name] for number, name in reader.read_run_names(connection).items() if name in mine}
