"""A record out of a document that anybody may have written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn, cast

from rtrace.errors import RecordError
from rtrace.printable import format_size, printable_text
from rtrace.record import RECORD_FORMAT
from rtrace.record.validation import find_mistake

if TYPE_CHECKING:
    from rtrace.record.document import Record

MOST_BYTES = 512 << 20
"""What a document may weigh: that of a run of a million files is about 300 MiB."""
_SHOWN = 200


def read_record(data: bytes, shown: str) -> Record:
    """Return the record in a document, which errors call ``shown``. Raises RecordError when it is none."""
    value = parse_document(data, shown)
    return check_record(value, shown)


def check_record(value: object, shown: str) -> Record:
    """Return a JSON value as the record that it is. Raises RecordError when it is none."""
    if not isinstance(value, dict):
        raise RecordError(f"{shown} is not a record: it is not a JSON object")
    refuse_newer(value, shown)
    mistake = find_mistake(value)
    if mistake:
        raise RecordError(f"{shown} is not a record: {printable_text(mistake.removeprefix('.'))[:_SHOWN]}")
    return cast("Record", value)


def refuse_newer(value: dict[str, object], shown: str) -> None:
    """Raise RecordError for a document of a later rtrace, and for one that does not say its format."""
    number = value.get("format")
    if type(number) is not int or number < 1:
        raise RecordError(f"{shown} is not a record: it does not say its format")
    if number > RECORD_FORMAT:
        raise RecordError(f"{shown} is of a newer rtrace (format {str(number)[:20]}); update rtrace to read it")


def parse_document(data: bytes, shown: str) -> object:
    """Return the JSON value in a document. Raises RecordError."""
    if len(data) > MOST_BYTES:
        raise RecordError(f"{shown} is too large for a record ({format_size(len(data))}); remove it")
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise RecordError(f"{shown} is not a record: it is nested too deeply") from None
    except UnicodeDecodeError:
        raise RecordError(f"{shown} is not a record: it is not UTF-8") from None
    except ValueError as error:
        raise RecordError(f"{shown} is not a record: {printable_text(str(error))[:_SHOWN]}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
