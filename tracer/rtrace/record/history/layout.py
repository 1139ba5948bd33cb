"""Where the parts of a history's folder are.

records/XX/ID.json      the documents; XX are the last two digits of the id, which are random
pending/ID.MARK         what the index has still to learn of
forgotten/ID            what was removed, so that no other history brings it back
catalogue.sqlite3       the index
outbox/                 a history of its own: records that a database could not take
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from rtrace.errors import HistoryError
from rtrace.record.ids import is_id

RECORDS, PENDING, FORGOTTEN, OUTBOX = "records", "pending", "forgotten", "outbox"
SUFFIX = ".json"
_MANY = 1000
"""Making the catalogue of more records takes so long that it is told."""


def document_path(root: Path, identifier: str) -> Path:
    """Return where a document is."""
    return root / RECORDS / identifier[-2:] / (identifier + SUFFIX)


def list_identifiers(root: Path) -> Iterator[str]:
    """Yield the identifiers of all documents. Raises HistoryError."""
    for folder in list_folder(root / RECORDS):
        for name in list_folder(root / RECORDS / folder):
            identifier = name.removesuffix(SUFFIX)
            if name.endswith(SUFFIX) and is_id(identifier):
                yield identifier


def list_folder(folder: Path) -> list[str]:
    """Return the names in a folder, none where there is no folder. Raises HistoryError."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise HistoryError(
            f"cannot read the history's folder {folder}: {error.strerror}; check its permissions"
        ) from None


def tell_of_making(tell: Callable[[str], None], place: str, records: int) -> None:
    """Tell that a catalogue is being made, if that takes long."""
    if records > _MANY:
        tell(f"making the catalogue of {place} from {records} records, which takes a while")
