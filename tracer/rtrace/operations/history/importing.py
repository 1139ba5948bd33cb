"""`rtrace import`: records of documents, dumps, histories, trace directories, bundles and other tools."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rtrace.errors import HistoryError, NoSuchRunError, NotABundleError, RecordError, RtraceError, UsageError
from rtrace.files.folders import has_descriptors
from rtrace.files.reading import open_at_once
from rtrace.record.bundled import read_bundle
from rtrace.record.changing.merging import merge_records
from rtrace.record.document import Record
from rtrace.record.foreign.registry import find_importer
from rtrace.record.history.documents import read_document
from rtrace.record.history.layout import RECORDS
from rtrace.record.history.protocol import History
from rtrace.record.reading import MOST_BYTES, read_record
from rtrace.trace.directory import TraceDirectory

_DOCUMENT = b"{"
_LEVELS = 3


@dataclass
class Imported:
    """How many records came in, were there already and got something new, or were the same; and what went wrong."""

    added: int = 0
    merged: int = 0
    same: int = 0
    forgotten: int = 0
    problems: int = 0


def import_paths(history: History, paths: list[Path], tell: Callable[[str], None]) -> Imported:
    """Add the records at paths to a history; what is no record is told of, and the others are added all the same.

    Raises HistoryError when the history cannot take any, and UsageError for a path that is not there.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"{path} does not exist; name a document, a dump, a folder or a bundle")
    imported = Imported()
    for path in paths:
        found, before = False, imported.problems
        try:
            for record in read_records(path, lambda sentence: tell_problem(imported, tell, sentence)):
                found = True
                try:
                    take_in(history, record, imported)
                except RecordError as error:  # of this one alone, or of the copy that is there
                    tell_problem(imported, tell, str(error))
        except HistoryError:
            raise
        except RtraceError as error:
            tell_problem(imported, tell, str(error))
            continue
        if not found and imported.problems == before:
            tell_problem(imported, tell, f"{path} holds no record")
    return imported


def tell_problem(imported: Imported, tell: Callable[[str], None], sentence: str) -> None:
    """Count and tell what could not be imported."""
    imported.problems += 1
    tell(sentence)


def take_in(history: History, record: Record, imported: Imported) -> None:
    """Add a record, or to the copy that is there what it does not know."""
    try:
        mine = history.read(record["id"])
    except NoSuchRunError:
        history.add(record)
        imported.added += 1
        return
    if merge_records(mine, record) == mine:
        imported.same += 1
        return
    history.replace(record["id"], lambda current: merge_records(current, record))
    imported.merged += 1


def read_records(path: Path, tell: Callable[[str], None]) -> Iterator[Record]:
    """Yield the records at a path. Raises RtraceError, and tells of single documents that are none."""
    importer = find_importer(str(path))
    if importer is not None:
        yield from importer.read(str(path))
    elif path.is_dir():
        if TraceDirectory(path).database.is_file() and has_descriptors():  # Windows has only the records that are there
            from rtrace.operations.recording.missing import record_missing

            yield from record_missing(TraceDirectory(path))
        for document in find_documents(path):
            try:
                yield from read_file(document)
            except RtraceError as error:
                tell(str(error))
    else:
        yield from read_file(path, tell)


def find_documents(folder: Path) -> Iterator[Path]:
    """Yield the documents in a folder: those of a history or of a trace directory, else all that end in .json."""
    top = folder / RECORDS
    start = top if top.is_dir() else folder
    for place, folders, names in os.walk(start):
        depth = len(Path(place).relative_to(start).parts)
        folders[:] = [] if depth >= _LEVELS else sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            if name.endswith((".json", ".jsonl")) and not name.startswith("."):
                yield Path(place) / name


def read_file(path: Path, tell: Callable[[str], None] | None = None) -> Iterator[Record]:
    """Yield the records in a file: one document, a dump of one a line, or a bundle."""
    with open(path, "rb", opener=open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UsageError(f"{path} is not a file; name a document, a dump, a folder or a bundle")
        start = file.read(1)
        if start != _DOCUMENT:
            try:
                yield from read_bundle(path)
            except NotABundleError:
                what = "neither a record nor a bundle; name a document, a dump, a folder or a bundle"
                raise UsageError(f"{path} is {what}") from None
            return
        file.seek(0)
        first = file.readline(MOST_BYTES + 1)
        second = file.read(1)
        if not second:
            yield read_record(first, str(path))
            return
        if not first.rstrip().endswith(b"}"):  # a document that somebody has made readable
            data = read_document(path) or b""
            yield read_record(data, str(path))
            return
        file.seek(len(first))
        for number, line in enumerate(itertools.chain([first], iter(lambda: file.readline(MOST_BYTES + 1), b"")), 1):
            try:
                yield read_record(line, f"line {number} of {path}")
            except RecordError as error:
                if tell is None:
                    raise
                tell(str(error))
