"""Values of what another tool said, each of the type that a record needs, or nothing."""

from __future__ import annotations

import math
import shlex
from typing import cast


def text(value: object) -> str | None:
    """Return a text that says something; None for everything else."""
    return value if isinstance(value, str) and value else None


def words(value: object) -> str:
    """Return a text, empty where there is none."""
    return value if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def integer(value: object) -> int | None:
    """Return a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(value: object) -> dict[str, object]:
    """Return a mapping, empty where there is none."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def mappings(value: object) -> list[dict[str, object]]:
    """Return the mappings in a list."""
    items = value if isinstance(value, list) else []
    return [cast("dict[str, object]", item) for item in items if isinstance(item, dict)]


def split_words(line: object) -> list[str]:
    """Return the words of a command line as a shell would have taken them apart."""
    written = words(line)
    try:
        return shlex.split(written)
    except ValueError:  # a quotation mark that is never closed
        return written.split()
