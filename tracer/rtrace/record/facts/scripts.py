"""What a script says of itself: its version."""

from __future__ import annotations

import re

_SEARCHED = 256 << 10
"""Characters of a text in which a version is looked for: it stands near the top."""
_LONGEST = 100
_QUOTED = rf"""["']([^"'\n]{{1,{_LONGEST}}})["']"""
_VERSIONS = (
    (rf"^__version__\s*(?::\s*[\w.]+\s*)?=\s*{_QUOTED}", 0),  # Python, by PEP 396
    (rf"^\s*(?:our\s+)?\$VERSION\s*=\s*{_QUOTED}", 0),  # Perl
    (rf"^(?:readonly\s+|export\s+|const\s+|let\s+|var\s+)?VERSION\s*=\s*{_QUOTED}", 0),
    (rf"^(?:SCRIPT_|script_|\.)?version\s*(?:=|<-)\s*{_QUOTED}", 0),  # shell, R, Julia
    (rf"^(?:readonly\s+)?(?:SCRIPT_)?VERSION=([\w.+-]{{1,{_LONGEST}}})\s*$", 0),  # shell, unquoted
    (rf"^(?:#+|%+|//|--|;+|!|\*|dnl)\s*[@\\]?version:?\s+v?(\d[\w.+-]{{0,{_LONGEST}}})\s*$", re.IGNORECASE),
    (rf"^Version:\s*(\d[\w.+-]{{0,{_LONGEST}}})\s*$", 0),  # R's DESCRIPTION, and its like
)
"""Patterns and flags; the last but one is a comment."""


def find_version(text: str) -> str | None:
    """Return the version that a script's text says it has, by the customs of its language."""
    text = text[:_SEARCHED]
    for pattern, flags in _VERSIONS:
        match = re.search(pattern, text, flags | re.MULTILINE)
        if match:
            return match[1].strip() or None
    return None
