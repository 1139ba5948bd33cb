"""How rtrace speaks this time: how much, and whether in colour."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from typing import TextIO

VARIABLE = "RTRACE_LOG"
"""The environment variable that asks for what `rtrace.debugging` tells."""
QUIET, NORMAL, VERBOSE = -1, 0, 1
WHEN = ("auto", "always", "never")
Color = Literal["red", "yellow", "green"]
_CODES = {"red": "1;31", "yellow": "1;33", "green": "1;32"}


class _Manner:
    level = NORMAL
    color = "auto"


_manner = _Manner()


def set_level(level: int) -> None:
    """Say from now on only what is wrong (QUIET), or more than usual (VERBOSE)."""
    _manner.level = level


def set_color(when: str) -> None:
    """Write in colour ``always``, ``never``, or (``auto``) on a terminal, unless the environment says otherwise."""
    _manner.color = when


def is_quiet() -> bool:
    """Whether only errors, warnings and requested data are wanted."""
    return _manner.level <= QUIET


def is_verbose() -> bool:
    """Whether everything is wanted in full."""
    return _manner.level >= VERBOSE


def is_colored(stream: TextIO | None) -> bool:
    """Whether to write in colour to a stream: as --color says, else NO_COLOR, else FORCE_COLOR, else on a terminal."""
    if stream is None or _manner.color == "never":
        return False
    if _manner.color == "always":
        return True
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") not in {None, "", "dumb"} and stream.isatty()


def paint(text: str, color: Color | None, stream: TextIO | None) -> str:
    """Return the text in a colour where the stream gets colours. Escape what a stranger wrote before."""
    if color is None or not is_colored(stream):
        return text
    return f"\x1b[{_CODES[color]}m{text}\x1b[0m"
