"""`rtrace status`: which runs of a trace or a bundle would no longer give what was recorded, on this machine, now."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import BundleError, TraceError
from rtrace.files.patterns import Patterns
from rtrace.gc_pause import without_collector
from rtrace.staleness.by_package import tell_by_package
from rtrace.staleness.contents import KnownContents
from rtrace.staleness.judging import Judging, spread
from rtrace.staleness.looking import Machine
from rtrace.staleness.model import Reason, RunStatus, StatusReport, sort_reasons
from rtrace.trace.reading.found import read_histories, read_listed, read_sources
from rtrace.trace.reading.world import is_below
from rtrace.verify.scopes import Scopes
from rtrace.verify.verdicts import Line

if TYPE_CHECKING:
    from rtrace.bundle.entry import Entry
    from rtrace.manifest.model import Manifest
    from rtrace.record.document import Record

_UNFINISHED = "its end was not seen, so nobody knows what it would have left"


@dataclass(frozen=True)
class Subject:
    """What is compared with this machine: the rows of a trace, and what else is known of its runs.

    ``names`` are the runs that count, by their numbers in the trace, in their order; ``needs`` are by these numbers.
    ``place`` is the trace directory, which no run saw.
    """

    connection: sqlite3.Connection
    manifest: Manifest
    names: Mapping[int, str]
    needs: Mapping[int, Iterable[int]]
    read_records: Callable[[], Mapping[str, Record]]
    read_entries: Callable[[], Iterable[Entry]]
    place: bytes | None = None


def find_status(place: Path, ignored: Iterable[bytes] = ()) -> StatusReport:
    """Compare what the runs of a trace directory, of the folder that holds one, or of a bundle found with this machine.

    ``ignored`` are patterns of what is left out. Nothing is run, and nothing written.

    Raises TraceError, ManifestError, BusyError and BundleError.
    """
    try:
        with open_subject(place) as subject, without_collector():
            return judge_subject(subject, ignored)
    except (sqlite3.Error, ValueError) as error:
        raise TraceError(f"the trace of {place} cannot be read ({error}); trace again") from None


@contextmanager
def open_subject(place: Path) -> Iterator[Subject]:
    """Open a trace directory, the folder that holds one, or a bundle."""
    if place.is_dir():
        with open_trace(place) as subject:
            yield subject
    else:
        with open_bundled(place) as subject:
            yield subject


@contextmanager
def open_trace(place: Path) -> Iterator[Subject]:
    """Open a trace directory, or that of a folder; it stays as it is meanwhile."""
    from rtrace.describe.selection import resolve_directory
    from rtrace.operations.declared.places import find_trace
    from rtrace.pack.choosing.runs import name_runs, read_manifest
    from rtrace.record.taking.keeping import read_from_trace
    from rtrace.trace.reading.dependence import read_needs
    from rtrace.trace.reading.reader import open_for_reading

    directory, _ = find_trace(place)
    with directory.lock(shared=True), closing(open_for_reading(directory)) as connection:
        manifest = read_manifest(connection, directory)
        yield Subject(
            connection,
            manifest,
            name_runs(connection, manifest.runs),
            read_needs(connection),
            lambda: {record["run_name"] or "": record for record in read_from_trace(directory)},
            lambda: (),
            resolve_directory(directory.path),
        )


@contextmanager
def open_bundled(place: Path) -> Iterator[Subject]:
    """Open a bundle, which anybody may have made, with the trace in it. Raises BundleError for one without a trace."""
    from rtrace.bundle.hostile_database import check_table, open_database
    from rtrace.opening import open_bundle
    from rtrace.record.bundled import read_bundled

    with open_bundle(place) as bundle, tempfile.TemporaryDirectory(prefix="rtrace-status-") as folder:
        if not bundle.has_trace or not bundle.keeps_digests:
            raise BundleError(f"{place} has no trace by which its runs could be judged; `rtrace verify` replays them")
        database = Path(folder) / "trace.sqlite3"
        bundle.extract_trace(database)
        with open_database(database) as connection:
            for table in ("runs", "paths", "facts", "uses", "results", "moves"):
                check_table(connection, table)
            known = [run.id for run in bundle.manifest.runs]
            rows = [(int(number), _decode(name)) for number, name in connection.execute("SELECT id, name FROM runs")]
            names = {number: name for number, name in sorted(rows) if name in known}
            numbers = {name: number for number, name in names.items()}
            yield Subject(
                connection,
                bundle.manifest,
                names,
                {
                    numbers[run.id]: [numbers[name] for name in run.needs if name in numbers]
                    for run in bundle.manifest.runs
                    if run.id in numbers
                },
                lambda: read_bundled(bundle),
                bundle.iterate_entries,
            )


def _decode(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def judge_subject(subject: Subject, ignored: Iterable[bytes]) -> StatusReport:
    """Judge the runs of a trace by this machine."""
    manifest = subject.manifest
    patterns = (*manifest.ignore, *ignored)
    names = dict(subject.names)
    runs = {run.id: run for run in manifest.runs}
    leave_out = Patterns(patterns)
    place = subject.place
    written = [path for (path,) in subject.connection.execute(
        "SELECT DISTINCT paths.path FROM results JOIN paths ON paths.id = results.path"
    )]  # fmt: skip
    scopes = Scopes(manifest, patterns, written)
    moved = read_sources(subject.connection)
    machine = Machine()
    judging = Judging(
        machine,
        KnownContents(names, subject.read_records, subject.read_entries),
        runs=names.keys(),
        listed=read_listed(subject.connection),
        is_output=lambda path: scopes.find(Line("same", "", path)) == "output",
        is_ignored=lambda path: leave_out.match(path) or (place is not None and is_below(path, (place,))),
        is_moved=lambda path: bool(moved) and is_below(path, moved),
    )
    for history in read_histories(subject.connection):
        judging.take(history)
    judging.finish()
    reasons = tell_by_package(judging.reasons, manifest.packages, find_former_owners(subject, judging.reasons))
    stale = spread(reasons, subject.needs, names)
    found = []
    for number, name in names.items():
        run = runs[name]
        mine = list(reasons.get(number, ()))
        mine += [Reason("needs", None, names[other]) for other in stale[number]]
        if run.finished is None:
            mine.append(Reason("unfinished", None, _UNFINISHED))
        found.append(RunStatus(name, run.argv, sort_reasons(mine)))
    return StatusReport(tuple(found), judging.paths, machine.hashed)


def find_former_owners(subject: Subject, reasons: Mapping[int, Iterable[Reason]]) -> dict[bytes, str]:
    """Return by path the packages that owned what is gone, as far as the bundle or the records know them."""
    from rtrace.path_text import to_bytes

    gone = {one.path for found in reasons.values() for one in found if one.kind in {"gone", "executable"}}
    if not gone:
        return {}
    owners = {entry.path: entry.package for entry in subject.read_entries() if entry.package and entry.path in gone}
    for record in subject.read_records().values():
        for fact in (*record["executables"], *record["libraries"]):
            path = to_bytes(fact["path"] or "")
            if fact["package"] and path in gone:
                owners.setdefault(path, fact["package"].partition(":")[2])
    return {path: os.fsdecode(name) for path, name in owners.items()}
