"""Times as a record writes them: UTC, ISO 8601 with microseconds and Z."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone

_SHAPE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def now() -> str:
    """Return the present time."""
    return write_time(time.time_ns() // 1000)


def write_time(microseconds: int) -> str:
    """Return a time since 1970 as text."""
    return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%dT%H:%M:%S.%f}Z"


def read_time(text: str) -> int:
    """Return a time of a record in microseconds since 1970. Raises ValueError for text that is none."""
    if re.fullmatch(_SHAPE, text) is None:
        raise ValueError(f"{text[:40]!r} is not a time as records have it")
    return (datetime.fromisoformat(text[:-1] + "+00:00") - _EPOCH) // _MICROSECOND


def is_time(text: str) -> bool:
    """Whether a text is a time as records have it."""
    try:
        read_time(text)
    except ValueError:
        return False
    return True
