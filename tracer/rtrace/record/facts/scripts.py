"""What a script says of itself: its version."""

from __future__ import annotations

import re

_SEARCHED = 256 << 10
"""Characters of a text in which a version is looked for: it stands near the top."""
_LONGEST = 100
_QUOTED = rf"""["']([^"'\n]{{1,{_LONGEST}}})["']"""
_VERSIONS = (
    re.compile(rf"^__version__\s*(?::\s*[\w.]+\s*)?=\s*{_QUOTED}", re.MULTILINE),  # Python, by PEP 396
    re.compile(rf"^\s*(?:our\s+)?\$VERSION\s*=\s*{_QUOTED}", re.MULTILINE),  # Perl
    re.compile(rf"^(?:readonly\s+|export\s+|const\s+|let\s+|var\s+)?VERSION\s*=\s*{_QUOTED}", re.MULTILINE),
    re.compile(rf"^(?:SCRIPT_|script_|\.)?version\s*(?:=|<-)\s*{_QUOTED}", re.MULTILINE),  # shell, R, Julia
    re.compile(rf"^(?:readonly\s+)?(?:SCRIPT_)?VERSION=([\w.+-]{{1,{_LONGEST}}})\s*$", re.MULTILINE),  # shell, unquoted
    re.compile(rf"^(?:#+|%+|//|--|;+|!|\*|dnl)\s*[@\\]?version:?\s+v?(\d[\w.+-]{{0,{_LONGEST}}})\s*$",
               re.MULTILINE | re.IGNORECASE),  # a comment
    re.compile(rf"^Version:\s*(\d[\w.+-]{{0,{_LONGEST}}})\s*$", re.MULTILINE),  # R's DESCRIPTION, and its like
)  # fmt: skip


def find_version(text: str) -> str | None:
    """Return the version that a script's text says it has, by the customs of its language."""
    text = text[:_SEARCHED]
    for pattern in _VERSIONS:
        match = pattern.search(text)
        if match:
            return match[1].strip() or None
    return None
