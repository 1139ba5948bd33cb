"""What an imported record must not tell: what the rules for bundles find, and passwords in URLs and settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from rtrace.path_text import to_bytes, to_text
from rtrace.record.facts.version_control.remotes import strip_credentials
from rtrace.record.taking.secrets.redacting import RecordRedactor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.document import Record

_REDACTED = "redacted"
_PASSWORD_KEY = re.compile(r"(?i)(.*_)?(password|passwd|pw)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@]*@[^\s\"'<>]*")
_IMPORTED = "what was imported"


def withhold(record: Record) -> Record:
    """Return a record without secrets; `redacted` says where there was one, and never what."""
    places: list[str] = []
    cleaned = cast("Record", _clean(record, "", places))
    redactor = RecordRedactor()
    environ = tuple((to_bytes(name), to_bytes(value)) for name, value in cleaned["environment"].items())
    cleaned["environment"] = {to_text(name): to_text(value or b"") for name, value in redactor.environment(environ)}
    told = (cleaned["imported"] or {}).get("environment")
    if isinstance(told, dict):  # the same variables, among other things
        told.update(
            {name: cleaned["environment"].get(name, _REDACTED) for name in told if name in record["environment"]}
        )
    argv = [to_bytes(word) for word in cleaned["arguments"]]
    cleaned["arguments"] = [to_text(word) for word in redactor.arguments(b"".join(argv[:1]), argv)]
    for fact in cleaned["parameters"]:
        if isinstance(fact["value"], str):
            fact["value"] = redactor.value(f"parameter {fact['name']} of {fact['source']}", fact["name"], fact["value"])
    for script in cleaned["scripts"]:
        script["text"] = _search(redactor, f"file {script['path']}", script["path"], script["text"])
    for repository in cleaned["repositories"]:
        repository["diff"] = _search(redactor, f"changes in {repository['path']}", "diff", repository["diff"])
    if cleaned["stdout"] is not None:
        cleaned["stdout"]["text"] = _search(redactor, "standard output", "output", cleaned["stdout"]["text"])
    for name in ("reason", "outcome"):
        said = cast("dict[str, str | None]", cleaned)
        said[name] = _search(redactor, name, name, said[name])
    cleaned["imported"] = cast("dict[str, object]", _search_all(redactor, cleaned["imported"]))
    finished = redactor.finish(cleaned)
    finished["redacted"] = sorted({*places, *finished["redacted"]})
    return finished


def _search(redactor: RecordRedactor, place: str, path: str, text: str | None) -> str | None:
    """Return a text without the secrets in it."""
    if not text:
        return text
    return to_text(redactor.content(place, to_bytes(path), to_bytes(text)))


def _search_all(redactor: RecordRedactor, value: object) -> object:
    """Return a value without the secrets in its texts: they are searched in one go, and cut only where there is one."""
    whole = "\n".join(_find_texts(value))
    return value if _search(redactor, _IMPORTED, "imported", whole) == whole else _cut(redactor, value)


def _cut(redactor: RecordRedactor, value: object) -> object:
    if isinstance(value, str):
        return _search(redactor, _IMPORTED, "imported", value)
    if isinstance(value, list):
        return [_cut(redactor, item) for item in value]
    if isinstance(value, dict):
        return {key: _cut(redactor, item) for key, item in value.items()}
    return value


def _find_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _find_texts(item)


def _clean(value: object, place: str, places: list[str]) -> object:
    """Return a value without the passwords that are known by their form alone, or by their key."""
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
