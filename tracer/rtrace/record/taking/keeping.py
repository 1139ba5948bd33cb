"""Where the record of a run is kept: in its trace directory, and in the history."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.files.folders import write_whole
from rtrace.record.writing import write_record

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.trace.directory import TraceDirectory

SUFFIX = ".json"


def keep_in_trace(directory: TraceDirectory, record: Record) -> bytes:
    """Write a record into a trace directory, whole or not at all; return its document. Raises OSError."""
    folder = directory.records
    folder.mkdir(mode=0o700, exist_ok=True)
    document = write_record(record)
    write_whole(folder / f"{record['run_name']}{SUFFIX}", document)
    return document


def list_documents(directory: TraceDirectory) -> dict[str, Path]:
    """Return the documents of a trace directory by the names of their runs."""
    try:
        names = sorted(os.listdir(directory.records))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {name.removesuffix(SUFFIX): directory.records / name for name in names if name.endswith(SUFFIX)}


def read_from_trace(directory: TraceDirectory) -> list[Record]:
    """Return the records of a trace directory. Raises RecordError and HistoryError."""
    from rtrace.record.history.documents import read_document
    from rtrace.record.reading import read_record

    return [
        read_record(data, str(path))
        for path in list_documents(directory).values()
        if (data := read_document(path)) is not None
    ]
