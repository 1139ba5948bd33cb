"""Records that a database could not take: they wait in a folder of their own, and are sent when it can."""

from __future__ import annotations

import contextlib
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import RtraceError
from rtrace.record.changing.merging import merge_records
from rtrace.record.history.folder import FolderHistory
from rtrace.record.history.layout import OUTBOX, document_path
from rtrace.record.history.place import own_folder

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.record.history.protocol import History


def open_outbox(place: str) -> FolderHistory:
    """Return the folder of the records that wait for a database, which is called by its address."""
    return FolderHistory(own_folder() / OUTBOX / blake2b(place.encode(), digest_size=4).hexdigest())


def send(outbox: FolderHistory, history: History) -> int:
    """Send what waits; return how many records that were. Raises HistoryError, and what was not sent still waits."""
    sent = 0
    for identifier in list(outbox.identifiers()):
        try:
            record = outbox.read(identifier)
        except RtraceError:  # it is left where it is, for a person to look at
            continue
        keep(history, record)
        with contextlib.suppress(OSError):  # another one was quicker
            document_path(Path(outbox.root), identifier).unlink()
        sent += 1
    return sent


def keep(history: History, record: Record) -> None:
    """Add a record, or what it says more than the copy that is there."""
    if history.read_document(record["id"]) is None:
        history.add(record)
    else:
        history.replace(record["id"], lambda mine: merge_records(mine, record))
