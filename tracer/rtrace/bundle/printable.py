"""Byte strings made fit for a sentence."""

from __future__ import annotations


def printable(path: bytes) -> str:
    """Show a path in a message: what is not UTF-8 or not printable comes out as a backslash escape."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
