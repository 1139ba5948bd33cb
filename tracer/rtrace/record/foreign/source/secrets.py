"""What an imported record must not tell: passwords in URLs and settings, and variables that hold secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from rtrace.record.facts.version_control.remotes import strip_credentials

if TYPE_CHECKING:
    from rtrace.record.document import Record

_REDACTED = "redacted"
_PASSWORD_KEY = re.compile(r"(?i).*(password|passwd|_pw$|secret|token|credential|api_?key|private_?key).*")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@]*@[^\s\"'<>]*")


def withhold(record: Record) -> Record:
    """Return a record without passwords; `redacted` says where there was one, and never what."""
    places: list[str] = []
    cleaned = cast("Record", _clean(record, "", places))
    cleaned["redacted"] = [*record["redacted"], *places]
    return cleaned


def _clean(value: object, place: str, places: list[str]) -> object:
    if isinstance(value, dict):
        return {key: _clean_item(key, item, f"{place}.{key}" if place else str(key), places)
                for key, item in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [_clean(item, f"{place}[{number}]", places) for number, item in enumerate(value)]
    if isinstance(value, str) and "://" in value:
        cleaned = _URL.sub(lambda match: strip_credentials(match[0]), value)
        if cleaned != value:
            places.append(f"{place}: password in a URL")
        return cleaned
    return value


def _clean_item(key: object, value: object, place: str, places: list[str]) -> object:
    if isinstance(value, str) and value and isinstance(key, str) and _PASSWORD_KEY.fullmatch(key):
        places.append(f"{place}: password")
        return _REDACTED
    return _clean(value, place, places)
