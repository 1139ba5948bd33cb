"""The history of a place, or the one that a person has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtrace.record.history.place import find_place, is_url
from rtrace.record.history.protocol import History


def open_history(place: str | None = None, tell: Callable[[str], None] = lambda _sentence: None) -> History:
    """Return the history of a place, by default the one that RTRACE_HISTORY or the user's state folder has.

    Nothing is made or asked before something is added or looked for. ``tell`` is told what goes wrong without harm.
    Raises UsageError for a URL that cannot be one.
    """
    named = place if place is not None else find_place()
    if is_url(named):
        from rtrace.record.history.database import DatabaseHistory

        return DatabaseHistory(named, tell)
    from rtrace.record.history.folder import FolderHistory

    return FolderHistory(Path(named).expanduser().absolute(), tell)
