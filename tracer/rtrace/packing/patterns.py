"""The patterns of a manifest's ``exclude`` and ``include``.

``?`` stands for a byte and ``*`` for any number of them within a name, ``**`` crosses slashes, ``[a-z]`` and ``[!a-z]``
are sets, a backslash takes the meaning of the next byte. A pattern without a slash at its beginning may begin at any
folder. What matches stands for all that lies below it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = re.compile(rb"\*\*/?|\*|\?|\[[!^]?\]?[^\]/]*\]|\\.|.", re.DOTALL)
_SPECIAL = re.compile(rb"[*?\[\\]")


class Patterns:
    """Some patterns, compiled into one regular expression."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        expressions = [translate(pattern) for pattern in patterns]
        self._expression = re.compile(b"(?s:" + b"|".join(expressions) + b")(?:/|\\Z)") if expressions else None

    def match(self, path: bytes) -> bool:
        """Tell whether a pattern matches an absolute path, or a folder that the path lies in."""
        return self._expression is not None and self._expression.match(path) is not None


def translate(pattern: bytes) -> bytes:
    """Write a pattern as a regular expression for the beginning of a path."""
    if not pattern.startswith(b"/"):
        pattern = b"/**/" + pattern
    return b"".join(map(_translate_token, _TOKEN.findall(pattern.rstrip(b"/"))))


def fixed_beginning(pattern: bytes) -> bytes:
    """Give the folder below which everything lies that an absolute pattern can match, or the path that it is."""
    special = _SPECIAL.search(pattern)
    if special is None:
        return pattern.rstrip(b"/") or b"/"
    return pattern[: special.start()].rpartition(b"/")[0] or b"/"


def _translate_token(token: bytes) -> bytes:
    if token == b"**/":
        return b"(?:.*/)?"
    if token == b"**":
        return b".*"
    if token == b"*":
        return b"[^/]*"
    if token == b"?":
        return b"[^/]"
    if token.startswith(b"[") and len(token) > 1:
        return _translate_set(token)
    return re.escape(token[1:] if token.startswith(b"\\") and len(token) > 1 else token)


def _translate_set(token: bytes) -> bytes:
    content = token[1:-1]
    negated = content[:1] in {b"!", b"^"}
    if negated:
        content = content[1:]
    if not content:
        return re.escape(token)
    # A range that runs backwards holds nothing, as in a shell; re would call it an error.
    ranges = re.findall(rb"(?s)(.)-(.)|(.)", content)
    parts = []
    for first, last, single in ranges:
        if single:
            parts.append(re.escape(single))
        elif first <= last:
            parts.append(re.escape(first) + b"-" + re.escape(last))
    if not parts:
        return b"[^/]" if negated else b"(?!)"
    return b"(?!/)[" + (b"^" if negated else b"") + b"".join(parts) + b"]"
