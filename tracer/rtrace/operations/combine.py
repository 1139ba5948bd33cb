"""Trace directories brought together: the ranks of an MPI job, the steps or hosts of a pipeline, as runs of one trace.

The runs are put in the order in which they began. Ids of runs, processes, environments and paths are numbered anew and
every row that names one follows, parents included; times stay as they are, counted from the start of their own run.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtrace.capture.books.snapshots import take_snapshot
from rtrace.errors import RtraceError, TraceError, UsageError
from rtrace.files.reading import hash_file
from rtrace.interrupts import held
from rtrace.operations.trace import write_new_manifest
from rtrace.printable import printable
from rtrace.trace.adding import add_trace, note_differences
from rtrace.trace.directory import TraceDirectory, close
from rtrace.trace.parallel.noting import note_ranks
from rtrace.trace.parallel.processes import read_run_ranks, read_scratch
from rtrace.trace.place import give_place, make_trace
from rtrace.trace.reading.reader import copy_database, open_for_reading, read_run_starts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rtrace.manifest.model import Manifest
    from rtrace.record.document import Record


@dataclass(frozen=True, slots=True)
class Combined:
    """What was brought together: the manifest of all, and the sentences about what of the edits has no place in it."""

    manifest: Manifest
    problems: tuple[str, ...]
    runs: int
    record: Record | None = None
    """Of the ranks of one job: the one record of all, which is in the trace and not yet in the history."""


def combine(sources: Sequence[TraceDirectory], target: TraceDirectory, *, edited: bool = True) -> Combined:
    """Make one trace directory of several, which stay as they are; unless ``edited``, their manifests do not count.

    Raises TraceError when one cannot be read or the target exists, UsageError when one is given twice, BusyError when
    one is in use, and ManifestError when one of the manifests is invalid.
    """
    if len({source.path.resolve() for source in sources}) < len(sources):
        raise UsageError("a trace directory is named twice; name each one once")
    if os.path.lexists(target.path):
        raise TraceError(f"{target.path} exists already; remove it, or use -d to write elsewhere")
    with contextlib.ExitStack() as stack:
        for source in sources:
            stack.enter_context(source.lock(shared=True))
        manifests = read_manifests(sources) if edited else (None,) * len(sources)
        numbers = number_runs(sources)
        workspace = stack.enter_context(held(lambda: make_trace(target)))
        unfinished = TraceDirectory(workspace.path)
        names = add_sources(sources, numbers, unfinished)
        manifest, problems = join_manifests(sources, manifests, names, unfinished, target)
        write_new_manifest(manifest, unfinished)
        record, unrecorded = record_ranks(sources, unfinished, target, manifest)
        give_place(workspace, target)
    return Combined(manifest, (*problems, *unrecorded), sum(map(len, names)), record)


def record_ranks(
    sources: Sequence[TraceDirectory], unfinished: TraceDirectory, target: TraceDirectory, manifest: Manifest
) -> tuple[Record | None, tuple[str, ...]]:
    """Keep one record in a trace whose sources are the ranks of one job; return it, and what went wrong, if it did."""
    from rtrace.operations.recording.ranked import join_rank_records

    try:
        record = join_rank_records(sources, target, manifest.notices)
        if record is not None:
            from rtrace.record.taking.keeping import keep_in_trace

            keep_in_trace(unfinished, record)
    except (OSError, RtraceError) as error:
        return None, (f"the ranks' records: {error}",)
    return record, ()


class Copies:
    """The files that are copied to a folder: each content is there once, and every further name of it is a hard link.

    A file is hashed once at most, and only when another one has its size.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_size: dict[int, dict[bytes | None, Path]] = {}
        """Copies by their size and digest; None stands for the digest of the first of a size, which has no other."""

    def add(self, source: Path, prefix: str) -> None:
        """Copy all files of a folder under longer names."""
        for path in sorted(source.iterdir()):
            copy = self._folder / f"{prefix}{path.name}"
            size = path.stat().st_size
            copies = self._by_size.setdefault(size, {})
            if None in copies:
                first = copies.pop(None)
                copies[hash_file(os.fsencode(first), follow=False)] = first
            digest = hash_file(os.fsencode(path), follow=False) if copies else None
            if digest in copies:
                copy.hardlink_to(copies[digest])
            else:
                take_snapshot(os.fsencode(path), copy, size)
                copies[digest] = copy


def add_sources(
    sources: Sequence[TraceDirectory], numbers: Sequence[dict[int, int]], target: TraceDirectory
) -> tuple[dict[str, str], ...]:
    """Add all traces to an empty one; return for each the names that its runs have now by those they had."""
    names = []
    snapshots, streams = Copies(target.snapshots), Copies(target.streams)
    with closing(target.open()) as connection:
        for index, source in enumerate(sources):
            try:
                copy = target.path / "source.sqlite3"
                with closing(open_for_reading(source)) as reading:
                    copy_database(reading, copy)
                names.append(add_trace(connection, copy, f"{index + 1}-", numbers[index]))
                copy.unlink()
            except sqlite3.Error as error:
                raise TraceError(f"{source.database} cannot be read ({error}); leave it out, or trace again") from None
            carry_records(source, target, names[-1])
            snapshots.add(source.snapshots, f"{index + 1}-")
            if source.streams.is_dir():
                target.streams.mkdir(mode=0o700, exist_ok=True)
                streams.add(source.streams, f"{index + 1}-")
        note_differences(connection)
        note_ranks(connection)
        close(connection)
    return tuple(names)


def carry_records(source: TraceDirectory, target: TraceDirectory, names: Mapping[str, str]) -> None:
    """Copy the records of a trace's runs; ``names`` are their new names by the former ones. Raises RecordError."""
    from rtrace.record.taking.keeping import keep_in_trace, read_from_trace

    for record in read_from_trace(source):
        name = names.get(record["run_name"] or "")
        if name is not None:
            record["run_name"] = name
            keep_in_trace(target, record)


def read_manifests(sources: Sequence[TraceDirectory]) -> tuple[tuple[str, Manifest] | None, ...]:
    """Read the manifests that persons may have edited; None where there is none. Raises ManifestError."""
    from rtrace.manifest.reading.load import load, read_text

    texts = [read_text(source.manifest) if source.manifest.exists() else None for source in sources]
    return tuple(
        None if text is None else (text, load(text, str(source.manifest)))
        for source, text in zip(sources, texts, strict=True)
    )


def join_manifests(
    sources: Sequence[TraceDirectory],
    manifests: Sequence[tuple[str, Manifest] | None],
    names: Sequence[dict[str, str]],
    unfinished: TraceDirectory,
    target: TraceDirectory,
) -> tuple[Manifest, tuple[str, ...]]:
    """Draft the manifest of a combined trace, with what was edited in those of its sources; say what has no place.

    ``names`` are the new names of the sources' runs by the former ones, ``target`` is where the trace will be.
    """
    from rtrace.describe.draft import draft_manifest
    from rtrace.manifest.merging.edited import Edited
    from rtrace.manifest.merging.joining import join_edits
    from rtrace.manifest.merging.own_comments import has_own_comments

    edited = []
    problems = []
    for source, read, runs in zip(sources, manifests, names, strict=True):
        if read is None:
            continue
        text, manifest = read
        name = printable(os.fsencode(source.manifest))
        with closing(open_for_reading(source)) as connection:
            edited.append(Edited(name, draft_manifest(connection, source), manifest, runs))
        if has_own_comments(text, manifest):
            problems.append(f"comments and layout of {name} stay there, for the manifest of all is a new one")
    with closing(open_for_reading(unfinished)) as connection:
        draft = draft_manifest(connection, target)
        scratch = read_scratch(connection)
    joined, more = join_edits(draft, edited)
    if scratch:
        exclude, ignore = (tuple(dict.fromkeys((*kept, *scratch))) for kept in (joined.exclude, joined.ignore))
        joined = replace(joined, exclude=exclude, ignore=ignore)
    return joined, (*problems, *more)


def number_runs(sources: Sequence[TraceDirectory]) -> list[dict[int, int]]:
    """Return for each source the new number of each of its runs, in the order in which they began.

    The ranks of a job follow each other by their numbers, from where the first of them began.
    """
    began = []
    jobs: dict[tuple[str, str, int], float] = {}
    for index, source in enumerate(sources):
        with closing(open_for_reading(source)) as connection:
            ranks = read_run_ranks(connection)
            for run, time in read_run_starts(connection).items():
                rank = ranks.get(run)
                job = None if rank is None else (rank.launcher, rank.job, rank.size)
                if job is not None:
                    jobs[job] = min(time, jobs.get(job, time))
                began.append((time, job, -1 if rank is None else rank.number, index, run))
    numbers: list[dict[int, int]] = [{} for _ in sources]
    ordered = sorted((time if job is None else jobs[job], rank, index, run) for time, job, rank, index, run in began)
    for number, (_, _, index, run) in enumerate(ordered, 1):
        numbers[index][run] = number
    return numbers
