"""Moments as a person writes them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_AGO = re.compile(r"(\d{1,6}) ?(minute|hour|day|week|m|h|d|w)s?(?: ago)?")
_DAY = re.compile(r"today|yesterday|\d{4}-\d\d-\d\d|\d{8}")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def read_moment(text: str, present: datetime | None = None, *, last: bool = False) -> int:
    """Return a moment in microseconds since 1970.

    It is written as `2026-11-30`, `2026-11-30 14:00`, `3 days ago`, `2h`, `yesterday` or `today`. Without an offset it
    is in local time. Of a day it is the beginning or, as the ``last`` moment that somebody asks for, the end. Raises
    ValueError, with what to write instead.
    """
    try:
        return _read_moment(text, present, last=last)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no moment; write 2026-11-30, 2026-11-30T14:00, yesterday or 3d") from None


def _read_moment(text: str, present: datetime | None, *, last: bool) -> int:
    here = (present or datetime.now(tz=timezone.utc)).astimezone()
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"today": 0, "yesterday": 1}.get(text)
    ago = _AGO.fullmatch(text)
    if days is not None:
        moment = midnight - timedelta(days=days)
    elif ago is not None:
        moment = here - timedelta(**{_UNITS[ago[2][0]]: int(ago[1])})
    else:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if last and _DAY.fullmatch(text):
        moment += timedelta(days=1)
    return (moment.astimezone(timezone.utc) - _EPOCH) // timedelta(microseconds=1)


def write_moment(microseconds: int | None) -> str:
    """Return a moment in local time to the second, or a dash; at the end of the calendar, where none is, in UTC."""
    if microseconds is None:
        return "-"
    moment = _EPOCH + timedelta(microseconds=microseconds)
    try:
        return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError):
        return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def write_zone() -> str:
    """Return how far local time is from UTC at present: `UTC+01:00`."""
    return f"UTC{datetime.now(tz=timezone.utc).astimezone().isoformat(timespec='minutes')[16:]}"


def write_seconds(seconds: float | None) -> str:
    """Return a duration as a person reads it, or a dash."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest:.1f} s"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02.0f} s"
