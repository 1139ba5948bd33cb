"""A record as the bytes of its document: JSON in ASCII, so that names that are not UTF-8 survive."""

from __future__ import annotations

import json

from rtrace.record.document import Record


def write_record(record: Record) -> bytes:
    """Return the document of a record, with a newline at its end and nowhere else.

    So documents make a dump when they follow each other.
    """
    return (json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n").encode("ascii")
