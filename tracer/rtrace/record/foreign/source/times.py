"""Times of other tools as a record has them, and the identifiers that follow from them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

from rtrace.record.ids import make_id

_FORMATS = (
    "%Y-%m-%d %H:%M:%S.%f%z",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S",
)
_LONGEST = 40


def read_when(written: object) -> datetime | None:
    """Return a time as SQLite, Django, TinyDB or Python's `isoformat` write it; without a zone it is UTC."""
    if not isinstance(written, str) or len(written) > _LONGEST:
        return None
    text = written.strip().replace("T", " ").replace("Z", "+0000")
    for form in _FORMATS:
        try:
            when = datetime.strptime(text, form)  # noqa: DTZ007 -- the next line adds a zone
            return when.replace(tzinfo=when.tzinfo or timezone.utc).astimezone(timezone.utc)
        except (ValueError, OverflowError):
            continue
    return None


def show_when(when: datetime | None) -> str | None:
    """Return a time as a record has it."""
    return None if when is None else f"{when:%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")


def add_seconds(when: datetime | None, seconds: float | None) -> datetime | None:
    """Return a time so many seconds later; None where that cannot be told."""
    if when is None or seconds is None:
        return None
    try:
        return when + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def derive_id(when: datetime | None, *source: str) -> str:
    """Return the identifier of what a tool calls so: the same one whenever it is imported.

    Only whole seconds count, for some of the tools' own exports have no more.
    """
    seconds = 0 if when is None else max(0, int(when.timestamp()))
    name = "\0".join(source).encode("utf-8", "surrogateescape")
    return make_id(seconds * 1000, hashlib.sha256(name).digest())
