"""Byte strings and sizes made fit for a sentence."""

from __future__ import annotations

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def printable(path: bytes) -> str:
    """Show a path in a message: what is not UTF-8 or not printable comes out as a backslash escape."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def format_size(size: float) -> str:
    """Write a number of bytes as a person reads it."""
    for unit in UNITS[:-1]:
        if size < 1024:  # noqa: PLR2004 - the step from one unit to the next
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {UNITS[-1]}"
