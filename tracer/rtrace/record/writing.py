"""A record as the bytes of its document: JSON in ASCII, so that names that are not UTF-8 survive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rtrace.errors import RecordError

if TYPE_CHECKING:
    from rtrace.record.document import Record


def write_record(record: Record) -> bytes:
    """Return the document of a record, with a newline at its end and nowhere else.

    So documents make a dump when they follow each other. Raises RecordError for a number that JSON does not have.
    """
    try:
        text = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:  # 1e999 is JSON, and infinite once it is read
        raise RecordError(f"the record {record['id']} cannot be written: {error}") from None
    return f"{text}\n".encode("ascii")
