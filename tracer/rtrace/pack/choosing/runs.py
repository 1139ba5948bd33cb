"""The runs that are packed: the trace's, as far as the manifest has them, and what is to be told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.describe.draft import draft_manifest, find_unfinished
from rtrace.describe.internals import Internals
from rtrace.files.hierarchy import is_provided
from rtrace.files.patterns import Patterns
from rtrace.manifest.merging.matching import match_runs, strip_record
from rtrace.pack.choosing.notices import describe_interference, describe_lost_run
from rtrace.printable import count_more
from rtrace.trace.reading import reader
from rtrace.trace.reading.between import read_interferences
from rtrace.trace.reading.dependence import read_needs

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from rtrace.manifest.model import Manifest, Notice, Run
    from rtrace.trace.directory import TraceDirectory

_MOST_INTERFERENCES = 8
"""Files changed between runs that are named one by one."""


def read_manifest(connection: sqlite3.Connection, directory: TraceDirectory) -> Manifest:
    """Return the manifest that a person may have edited; a draft if the tracer was killed. Raises ManifestError.

    What could not be captured is a fact of the trace: the notices say it for each packed run, whatever the manifest
    has.
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


def relate_runs(connection: sqlite3.Connection, manifest: Manifest) -> Manifest:
    """Return a manifest that says which runs need which, with notices of what came between them."""
    manifest = _settle_needs(connection, manifest)
    return _with_notices(manifest, _find_interferences(connection, manifest))


def name_runs(connection: sqlite3.Connection, runs: Sequence[Run]) -> dict[int, str]:
    """Return the manifest's ids of the trace's runs by their numbers, without runs that were taken out."""
    mine = {traced: name for name, traced in match_runs(reader.read_runs(connection), runs).items()}
    return {number: mine[name] for number, name in reader.read_run_names(connection).items() if name in mine}


def _settle_needs(connection: sqlite3.Connection, manifest: Manifest) -> Manifest:
    """Fill in which runs need which, where an older manifest does not say; add notices of needed runs taken out."""
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
        describe_lost_run(names[number], traced[one], may_be_included=bool(manifest.include))
        for number in sorted(needs.keys() & names.keys())
        for one in needs[number]
        if one not in names
    )
    return _with_notices(manifest, lost)


def _find_interferences(connection: sqlite3.Connection, manifest: Manifest) -> list[Notice]:
    """Return notices of files that changed between the runs, except for caches, logs and what `include:` adds."""
    found = read_interferences(connection)
    if not found:
        return []
    names = name_runs(connection, manifest.runs)
    included = Patterns(manifest.include)
    internals = Internals((one.path for one in found), {run.workingdir for run in manifest.runs})
    told = [
        describe_interference(one.path, one.how, names[one.earlier], names[one.run])
        for one in found
        if one.earlier in names
        and one.run in names
        and not is_provided(one.path)
        and not internals.has(one.path)
        and not included.match(one.path)
    ]
    if len(told) > _MOST_INTERFERENCES:
        last = told[_MOST_INTERFERENCES]
        more = count_more(len(told) - _MOST_INTERFERENCES - 1, "file")
        told[_MOST_INTERFERENCES:] = [replace(last, what=f"{last.what}{';' if more else ''}{more}")]
    return told


def _with_notices(manifest: Manifest, notices: Iterable[Notice]) -> Manifest:
    """Return a manifest with further notices, each once."""
    return replace(manifest, notices=tuple(dict.fromkeys((*manifest.notices, *notices))))
