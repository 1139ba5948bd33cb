"""Carrying out a plan: the bundle is written whole, or not at all."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from rtrace.bundle.writing.bundle_writer import BundleWriter, find_repeated
from rtrace.errors import IncompleteError
from rtrace.gc_pause import without_collector
from rtrace.interrupts import held
from rtrace.manifest.incompleteness import find_missing, list_incomplete
from rtrace.pack.choosing.left_elsewhere import describe_elsewhere
from rtrace.pack.file_writing import FileWriter
from rtrace.pack.phases import phase
from rtrace.pack.records import finish_records
from rtrace.pack.results import finish_results
from rtrace.pack.target import check_target
from rtrace.pack.written import keep_written
from rtrace.printable import count_more
from rtrace.privacy.masking import Masker
from rtrace.privacy.redacting import redact_known, redact_trace
from rtrace.privacy.redaction import Redactor
from rtrace.progress import SILENT, Progress
from rtrace.trace import DATABASE
from rtrace.trace.reading.reader import call_runs, copy_database, open_for_reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rtrace.bundle.counts import Counts
    from rtrace.bundle.entry import Result
    from rtrace.manifest.model import Elsewhere, Manifest, Notice, Secret
    from rtrace.pack.plan import PackingPlan
    from rtrace.privacy.anonymous.anonymizer import Anonymizer

_SHOWN = 8
"""Notices that a sentence names."""


@dataclass(frozen=True, slots=True)
class PackReport:
    """What was packed.

    ``notices`` are the troubles that packing met, ``secrets`` what looked like one: the bundle's manifest has them too.
    ``incomplete`` says, a sentence each, what the bundle lacks. ``records`` are the identifiers of the records in it,
    each with the name of its run.
    """

    target: Path
    identity: str
    counts: Counts
    notices: tuple[Notice, ...]
    secrets: tuple[Secret, ...]
    incomplete: tuple[str, ...] = ()
    records: tuple[tuple[str, str], ...] = ()


def carry_out(plan: PackingPlan, *, progress: Progress = SILENT, allow_missing: bool = False) -> PackReport:
    """Write the bundle of a plan: whole, or not at all. Raises BundleError.

    That is IncompleteError where content is missing that a run needs, unless ``allow_missing``.
    """
    check_target(plan.target, replace=plan.replace)
    redactor = Redactor(plan.redaction)
    masker = Masker(plan.masking, redactor)
    anonymizer = _make_anonymizer(plan)
    repeated = find_repeated(plan.items)
    with held(lambda: BundleWriter(plan.target, repeated, replace=plan.replace)) as writer, without_collector():
        files = FileWriter(plan, writer, masker, anonymizer)
        with phase(__name__, "write the files"):
            files.write(plan.items, progress)
        if not allow_missing:
            refuse_missing(find_missing(files.notices))
        with phase(__name__, "write the trace"):
            database = _write_database(plan, writer.folder)
        with phase(__name__, "keep what the runs wrote"):
            digests = keep_written(plan, writer.written, redactor, anonymizer)
        manifest = _complete_manifest(plan, files.notices, writer.elsewhere, anonymizer)
        results: Iterable[Result] = finish_results(plan, progress, digests)
        named = {run.id: run for run in manifest.runs}
        disguised = named
        text, inspect = _read_earlier_text(plan, masker, redactor), None
        if anonymizer is not None:
            from rtrace.privacy.anonymous.check import check_anonymity

            anonymizer.anonymize_trace(database)
            results = anonymizer.anonymize_results(results, plan.results, plan.run_names)
            manifest = anonymizer.anonymize_manifest(manifest)
            disguised = dict(zip(named, manifest.runs, strict=True))
            text = text and anonymizer.names.replace(text.encode()).decode()
            inspect = partial(check_anonymity, anonymizer=anonymizer)
        with phase(__name__, "hash the results and put the bundle together"):
            records = finish_records(plan.records, named, redactor, anonymizer, disguised)
            identity = writer.finish(manifest, results, database, earlier=text, records=records, inspect=inspect)
    anonymous = () if anonymizer is None else (*anonymizer.notices, *anonymizer.private_notices)
    return PackReport(
        plan.target,
        identity,
        files.counts,
        (*plan.notices, *files.notices, *anonymous),
        manifest.secrets,
        tuple(list_incomplete(manifest)),
        tuple((str(found.content.get("id")), found.run) for found in plan.records),
    )


def refuse_missing(missing: tuple[Notice, ...]) -> None:
    """Raise IncompleteError, which names what is missing."""
    if missing:
        some = "; ".join(f"{notice.what} ({notice.advice})" for notice in missing[:_SHOWN])
        more = count_more(len(missing) - _SHOWN, "file")
        raise IncompleteError(
            f"no bundle was written, because content that the runs need is missing: {some}{more}; "
            "with --allow-missing it is packed all the same, as INCOMPLETE"
        )


def _make_anonymizer(plan: PackingPlan) -> Anonymizer | None:
    """Return what carries out the anonymity of a plan, if it has any."""
    if plan.anonymity is None:
        return None
    from rtrace.privacy.anonymous.anonymizer import Anonymizer

    return Anonymizer(plan.anonymity, plan.manifest.packages)


def _write_database(plan: PackingPlan, folder: Path) -> Path:
    """Copy the trace database, under the manifest's ids of runs and without secrets, into a folder."""
    database = folder / DATABASE
    with closing(open_for_reading(plan.directory)) as connection:
        copy_database(connection, database)
    call_runs(database, plan.run_names)
    redact_trace(database, plan.redaction)
    return database


def _complete_manifest(
    plan: PackingPlan,
    notices: Iterable[Notice],
    elsewhere: Mapping[bytes, tuple[int, str]],
    anonymizer: Anonymizer | None,
) -> Manifest:
    """Return the manifest with what writing the files found; ``elsewhere`` has their paths as written."""
    places: Mapping[bytes, Elsewhere] = plan.elsewhere
    if anonymizer is not None:
        notices = (*notices, *anonymizer.notices)
        places = {anonymizer.names.replace(path): one for path, one in places.items()}
    return replace(
        plan.manifest,
        elsewhere=describe_elsewhere(places, elsewhere),
        notices=tuple(dict.fromkeys((*plan.manifest.notices, *notices))),
    )


def _read_earlier_text(plan: PackingPlan, masker: Masker, redactor: Redactor) -> str | None:
    """Return the manifest's text, whose comments travel in the bundle, without secrets; None if there is none."""
    from rtrace.manifest.reading.load import read_text

    if not plan.directory.manifest.exists():
        return None
    text = redact_known(read_text(plan.directory.manifest).encode(), redactor)
    return masker.mask_text(text).decode(errors="replace")
