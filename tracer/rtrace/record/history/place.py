"""Where a person's history is, and the modes of what is written there."""

from __future__ import annotations

import os
from pathlib import Path

from rtrace.files.folders import find_own_folder

VARIABLE = "RTRACE_HISTORY"
SCHEMES = ("postgresql://", "postgres://")


def find_place() -> str:
    """Return the place of the history: what RTRACE_HISTORY says, else a folder in the user's state folder."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    return str(own_folder())


def own_folder() -> Path:
    """Return the folder of the history that a person has without saying anything."""
    return find_own_folder("XDG_STATE_HOME") / "rtrace" / "history"


def is_url(place: str) -> bool:
    """Whether a place is a database."""
    return place.startswith(SCHEMES)
