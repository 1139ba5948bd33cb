"""TOML, by the standard library or, on Python 3.10, by tomli."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MOST_PARTS = 100_000_000
"""The squares of how many dots lines have, added up: a key of many parts takes the square of these long."""


def read_toml(text: str) -> dict[str, object]:
    """Return a document as mappings. Raises ValueError for what is none, or has keys of very many parts."""
    if sum(line.count(".") ** 2 for line in text.splitlines()) > _MOST_PARTS:
        raise ValueError("a key of very many parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
