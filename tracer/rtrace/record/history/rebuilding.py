"""An index made from all documents, by as many processes as there are processors."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rtrace.errors import HistoryError, RecordError
from rtrace.files.reading import WRITTEN_AS_IS
from rtrace.record.history.documents import extract_document, read_document
from rtrace.record.stores.extraction import Indexed
from rtrace.record.stores.sqlite_index import connect, insert_many, make_schema, note_unread
from rtrace.record.stores.workers import count_processors, workers

INCOMPLETE = ".incomplete-"
_ALONE = 200
"""So many documents are read sooner than other processes are started."""
_CHUNK = 16
_ROWS = 256


class Extracted(NamedTuple):
    """What was read of a document: what an index keeps, or why it cannot be read."""

    identifier: str
    indexed: Indexed | None
    problem: str


def rebuild_index(
    target: Path, paths: list[tuple[str, Path]], on_progress: Callable[[int], None] = lambda _number: None
) -> None:
    """Make an index of documents, given by identifier and path, and put it in the place of an older one.

    Raises OSError and sqlite3.Error; the older one stays then.
    """
    for leftover in target.parent.glob(f"{target.name}{INCOMPLETE}*"):
        with contextlib.suppress(OSError):  # it stays, and does no harm
            leftover.unlink()
    incomplete = target.with_name(f"{target.name}{INCOMPLETE}{os.urandom(6).hex()}")
    os.close(
        os.open(incomplete, os.O_CREAT | os.O_EXCL | os.O_WRONLY | WRITTEN_AS_IS, target.parent.stat().st_mode & 0o666)
    )
    try:
        with contextlib.closing(connect(incomplete, writable=True)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            make_schema(connection)
            fill(connection, extract_all(paths), on_progress)
        with open(incomplete, "rb") as file:
            os.fsync(file.fileno())
        incomplete.replace(target)
    except BaseException:
        incomplete.unlink(missing_ok=True)
        raise


def fill(
    connection: sqlite3.Connection,
    documents: Iterable[Extracted],
    on_progress: Callable[[int], None] = lambda _number: None,
) -> None:
    """Add documents to an empty index."""
    rows: list[tuple[int, int, Indexed]] = []
    connection.execute("BEGIN")
    for number, (identifier, indexed, problem) in enumerate(documents, 1):
        if indexed is None:
            note_unread(connection, identifier, problem)
        else:
            rows.append((number, number, indexed))
        if len(rows) == _ROWS:
            insert_many(connection, rows)
            rows.clear()
            on_progress(number)
    insert_many(connection, rows)
    connection.execute("COMMIT")


def extract_all(paths: list[tuple[str, Path]]) -> Iterator[Extracted]:
    """Yield what an index keeps of each document; one that is gone by now is left out."""
    processors = count_processors()
    if len(paths) < _ALONE or processors == 1 or not hasattr(os, "fork"):
        yield from extract_chunk(paths)
        return
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    with workers(processors) as share:
        for extracted in share(_extract_list, chunks):
            yield from extracted


def _extract_list(paths: list[tuple[str, Path]]) -> list[Extracted]:
    return list(extract_chunk(paths))


def extract_chunk(paths: Iterable[tuple[str, Path]]) -> Iterator[Extracted]:
    """Yield what an index keeps of each document."""
    for identifier, path in paths:
        try:
            data = read_document(path)
            if data is not None:
                yield Extracted(identifier, extract_document(data, identifier, str(path)), "")
        except (RecordError, HistoryError) as error:
            yield Extracted(identifier, None, str(error))
