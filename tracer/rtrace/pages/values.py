"""A value of a record as a cell of a page: one line, printable, and folded when it is long."""

from __future__ import annotations

import json
import math
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.operations.history.moments import write_moment
from rtrace.printable import format_size, printable_text
from rtrace.record.times import read_time

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZES = frozenset({"size", "memory", "peak_memory", "bytes_read", "bytes_written"})
DURATIONS = frozenset({"wall", "user", "system"})
TIMES = frozenset({"started", "finished", "at", "modified", "committed"})
TEXTS = frozenset({"text", "diff"})
DIGESTS = frozenset({"sha256", "md5", "commit", "build_id", "identity", "stamped"})

MOST_SHOWN = 32 << 10
"""Characters of one value on a page: what is longer is in the document, which can be saved."""
_FOLDED, _FIRST = 240, 160
_BREAKS = re.compile("([\n\t])")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it is shown: ``more`` is the text that ``text`` begins, without its last ``cut`` characters."""

    text: str
    more: str = ""
    cut: int = 0
    href: str = ""
    look: str = ""


def make_cell(name: str, value: object, href: str = "") -> Cell | None:
    """Return the value of a key; None for what is not known, or nothing."""
    if value is None or value in ([], {}, ""):
        return None
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, int | float):
        return Cell(_show_number(name, value), look="number")
    if isinstance(value, str):
        if name in TIMES:
            return Cell(show_time(value), look="time")
        if name in TEXTS:
            return fold_text(value)
        return fold(value, href=href, look="digest" if name in DIGESTS else "")
    if name == "arguments" and isinstance(value, list):
        return fold(show_command(value), look="code")
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return fold(", ".join(map(str, value)), look="digest" if name in DIGESTS else "")
    return fold_text(json.dumps(value, indent=1))


def fold(text: str, *, href: str = "", look: str = "") -> Cell:
    """Return a text on one line, folded when it is long."""
    if len(text) <= _FOLDED:
        return Cell(printable_text(text), href=href, look=look)
    shown = printable_text(text[:MOST_SHOWN])
    return Cell(printable_text(text[:_FIRST]) + "…", shown, max(0, len(text) - MOST_SHOWN), href, look)


def fold_text(text: str) -> Cell:
    """Return a text of lines, as the ends of which alone a browser may obey it."""
    lines = text.count("\n") + (not text.endswith("\n"))
    summary = f"{lines} {'line' if lines == 1 else 'lines'}, {len(text)} characters"
    return Cell(summary, show_lines(text[:MOST_SHOWN]), max(0, len(text) - MOST_SHOWN), look="text")


def show_lines(text: str) -> str:
    """Return a text of lines with all else that is not printable escaped."""
    return "".join(part if part in {"\n", "\t"} else printable_text(part) for part in _BREAKS.split(text))


def shorten_text(text: str, limit: int = _FIRST) -> str:
    """Return the printable beginning of a text."""
    return printable_text(text[:limit]) + ("…" if len(text) > limit else "")


def shorten_lines(text: str, limit: int = _FIRST) -> str:
    """Return the printable beginning of a text of lines."""
    return show_lines(text[:limit]) + ("…" if len(text) > limit else "")


def show_command(arguments: Iterable[str]) -> str:
    """Return a command as one would type it."""
    return shlex.join(printable_text(argument[:MOST_SHOWN]) for argument in arguments)


def show_duration(seconds: float | None) -> str:
    """Return a time that something took."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 60:  # noqa: PLR2004 -- a minute
        return f"{seconds:.2f} s"
    minutes, rest = divmod(int(min(seconds, 1e12)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def show_time(text: str) -> str:
    """Return a time of a record as a person reads it, in local time; as it is, where it is none."""
    try:
        return write_moment(read_time(text))
    except ValueError:
        return shorten_text(text)


def show_microseconds(microseconds: int | None) -> str:
    """Return a time of a catalogue as a person reads it, in local time."""
    try:
        return "" if microseconds is None else write_moment(microseconds)
    except OverflowError:
        return ""


def _show_number(name: str, value: float) -> str:
    if name in SIZES and isinstance(value, int) and value >= 0:
        return format_size(value) if value < 1024 else f"{format_size(value)} ({value})"  # noqa: PLR2004
    if name in DURATIONS | TIMES and math.isfinite(value):
        return show_duration(value) if value >= 0 else f"{value:.2f} s"
    return str(value) if abs(value) < 1e300 else "out of range"  # noqa: PLR2004 -- and so no digits without end
