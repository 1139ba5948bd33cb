"""Which of a run's files have a content: the index knows the run, its document the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rtrace.errors import RtraceError
from rtrace.path_text import to_bytes
from rtrace.record.query import Made

if TYPE_CHECKING:
    from rtrace.record.document import Record


def find_made(read: Callable[[str], Record], identifier: str, sha256: str) -> Iterator[Made]:
    """Yield the files of a run that it left with a content; nothing where its document cannot be read any more."""
    try:
        record = read(identifier)
    except RtraceError:
        return
    for file in record["outputs"]:
        if file["sha256"] == sha256 or sha256 in file["stamped"]:
            yield Made(identifier, to_bytes(file["path"]))
