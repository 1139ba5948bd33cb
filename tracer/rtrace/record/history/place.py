"""Where a person's history is, and the modes of what is written there."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "RTRACE_HISTORY"
SCHEMES = ("postgresql://", "postgres://")


def find_place() -> str:
    """Return the place of the history: what RTRACE_HISTORY says, else a folder in the user's state folder."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    return str(own_folder())


def own_folder() -> Path:
    """Return the folder of the history that a person has without saying anything; see the XDG base directories."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path("~/.local/state").expanduser()
    return base / "rtrace" / "history"


def is_url(place: str) -> bool:
    """Whether a place is a database."""
    return place.startswith(SCHEMES)
