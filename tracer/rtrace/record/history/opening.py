"""The history of a place, or the one that a person has."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import UsageError
from rtrace.record.history.place import find_place, is_url

if TYPE_CHECKING:
    from rtrace.record.history.protocol import History

_ADDRESS = r"[A-Za-z][A-Za-z0-9+.-]*://"


def open_history(place: str | None = None, tell: Callable[[str], None] = lambda _sentence: None) -> History:
    """Return the history of a place, by default the one that RTRACE_HISTORY or the user's state folder has.

    Nothing is made or asked before something is added or looked for. ``tell`` is told what goes wrong without harm.
    Raises UsageError for what is neither a folder nor the URL of a database.
    """
    named = place if place is not None else find_place()
    if is_url(named):
        from rtrace.record.history.database import DatabaseHistory

        return DatabaseHistory(named, tell)
    from rtrace.record.history.folder import FolderHistory

    root = Path(named).expanduser().absolute()
    address = re.match(_ADDRESS, named) if "://" in named else None
    if address or (root.exists() and not root.is_dir()):
        shown = f"an address with {address[0]}" if address else named  # the whole may have a password
        raise UsageError(f"{shown} is no history; name a folder, or a database as postgresql://USER@HOST/DATABASE")
    return FolderHistory(root, tell)
