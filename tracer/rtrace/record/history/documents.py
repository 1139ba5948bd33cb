"""Documents in a folder: read with limits, and read for an index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rtrace.errors import RecordError
from rtrace.files.reading import open_content
from rtrace.record.reading import MOST_BYTES, check_record, parse_document, refuse_newer
from rtrace.record.stores.extraction import Indexed, extract

if TYPE_CHECKING:
    from rtrace.record.document import Record


def read_document(path: Path) -> bytes | None:
    """Return the bytes of a document, one more than it may have at most; None where there is none.

    Raises RecordError for what is there and cannot be read; a fifo is never waited for.
    """
    try:
        descriptor = open_content(os.fspath(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    try:
        with open(descriptor, "rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}; remove it, or restore it") from None


def extract_document(data: bytes, identifier: str, shown: str) -> Indexed:
    """Return what an index keeps of a document. Raises RecordError when it is not the record of this identifier.

    A document with all that is wanted of it is not looked at further: an index of thousands is made of them.
    """
    value = parse_document(data, shown)
    if isinstance(value, dict):
        refuse_newer(value, shown)
        if value.get("id") != identifier:
            raise RecordError(f"{shown} is the document of another run; remove it")
    try:
        return extract(cast("Record", value))
    except (AttributeError, KeyError, TypeError, ValueError):
        record = check_record(value, shown)
    try:
        return extract(record)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"{shown} is not a record: nothing can be found by it ({error}); remove it") from None
