"""Text as databases keep it: nothing is lost, and two texts that differ stay two.

No database takes the surrogates that stand for bytes that are not UTF-8, nor PostgreSQL NUL. Such a character is
written as SUBSTITUTE, which stands for what cannot be represented, and its number in four hexadecimal digits; so is
SUBSTITUTE itself, and what separates texts in a column.
"""

from __future__ import annotations

import re
from typing import overload

SEPARATOR = "\x1f"
"""Stands between two texts in a column, and in no text there."""

_SUBSTITUTE = "\x1a"
_REFUSED = re.compile(f"[\0{_SUBSTITUTE}{SEPARATOR}\ud800-\udfff]")
_WRITTEN = re.compile(f"{_SUBSTITUTE}([0-9a-f]{{4}})")


@overload
def escape(text: str) -> str: ...
@overload
def escape(text: None) -> None: ...
@overload
def escape(text: str | None) -> str | None: ...
def escape(text: str | None) -> str | None:
    """Return text as databases keep it."""
    if text is None or text.isprintable():
        return text
    return _REFUSED.sub(lambda found: f"{_SUBSTITUTE}{ord(found[0]):04x}", text)


def restore(text: str) -> str:
    """Return text that a database kept as it was."""
    return _WRITTEN.sub(lambda found: chr(int(found[1], 16)), text) if _SUBSTITUTE in text else text
