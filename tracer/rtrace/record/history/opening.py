"""The history of a place, or the one that a person has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtrace.record.history.folder import FolderHistory
from rtrace.record.history.place import find_place


def open_history(place: str | None = None, tell: Callable[[str], None] = lambda _sentence: None) -> FolderHistory:
    """Return the history of a place, by default the one that RTRACE_HISTORY or the user's state folder has.

    Nothing is made or asked before something is added or looked for. ``tell`` is told what goes wrong without harm.
    """
    return FolderHistory(Path(place if place is not None else find_place()), tell)
