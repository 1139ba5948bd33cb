"""Values of documents that a stranger wrote: each is what it should be, or is not there."""

from __future__ import annotations

import json
from typing import cast

_MOST_VALUES = 2_000_000
_DEEPEST = 60


def mapping(value: object) -> dict[str, object]:
    """Return a mapping with names for keys; an empty one for all else."""
    return {key: one for key, one in value.items() if isinstance(key, str)} if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """Return a list; an empty one for all else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text(value: object) -> str:
    """Return text, or a number as text; nothing for all else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def texts(value: object) -> list[str]:
    """Return the texts of a list."""
    return [one for one in items(value) if isinstance(one, str)]


def decode(data: bytes) -> str:
    """Return a file's text; a mark of its encoding is left out."""
    return data.decode("utf-8", "replace").removeprefix("\ufeff")


def read_json(data: bytes) -> dict[str, object]:
    """Return a JSON document that is an object. Raises ValueError."""
    try:
        found = json.loads(decode(data), parse_int=_read_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004 -- whoever reads a file expects a ValueError
    return mapping(found)


def _read_integer(written: str) -> object:
    return int(written) if len(written) < 20 else written  # noqa: PLR2004 -- more digits cost the square of them


def read_yaml(data: bytes) -> dict[str, object]:
    """Return the first YAML document, which is a mapping. Raises ValueError."""
    from rtrace.manifest.reading.values import read_documents

    documents = read_documents(decode(data), most=_MOST_VALUES, deepest=_DEEPEST)
    if not documents or not isinstance(documents[0], dict):
        raise ValueError("it is no mapping")
    return mapping(documents[0])


def read_toml(data: bytes) -> dict[str, object]:
    """Return a TOML document. Raises ValueError."""
    from rtrace.manifest.reading import toml

    return toml.read_toml(decode(data))
