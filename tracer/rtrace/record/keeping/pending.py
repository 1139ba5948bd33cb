"""Which runs have outputs that are still to be kept: an empty file each, in the person's state folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.record.history.place import own_folder
from rtrace.record.ids import is_id

if TYPE_CHECKING:
    from pathlib import Path


def pending_folder() -> Path:
    """Return the folder of these files; archives on their way to a server lie there as well."""
    return own_folder().parent / "keeping"


def mark_pending(identifier: str) -> None:
    """Note that a run's outputs are to be kept. Raises OSError."""
    folder = pending_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / identifier).touch(mode=0o600)


def list_pending() -> list[str]:
    """Return the identifiers of these runs, oldest first."""
    try:
        return sorted(filter(is_id, os.listdir(pending_folder())))
    except OSError:  # there never was one
        return []


def forget_pending(identifier: str) -> None:
    """Note that nothing of a run is left to be kept. Raises OSError."""
    (pending_folder() / identifier).unlink(missing_ok=True)
