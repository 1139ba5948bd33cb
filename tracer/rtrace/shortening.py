"""Texts and paths of a bundle made short enough for a sentence: an author may have written megabytes."""

from __future__ import annotations

from rtrace.printable import printable

_TEXT_LIMIT = 80
_PATH_LIMIT = 4095
_SHOWN = 200


def shorten(text: str) -> str:
    """Give the beginning of a text that is longer than any name is."""
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}..."


def shorten_path(path: bytes) -> str:
    """Show a path, or the beginning of one that is longer than a path can be."""
    return printable(path) if len(path) <= _PATH_LIMIT else f"{printable(path[:_SHOWN])}..."
