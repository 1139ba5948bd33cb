"""The marks of changes that an index has still to learn of; see `rtrace.record.history.changing`."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from rtrace.record.history.changing import STALE
from rtrace.record.history.layout import PENDING, document_path
from rtrace.record.ids import is_id


@dataclass
class Change:
    """A document that was made, replaced or removed: its marks, and which of them are done with once it was read."""

    identifier: str
    marks: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)


def list_changes(root: Path) -> list[Change]:
    """Return the documents that changed. What is read of them after this is at least as new as the marks."""
    try:
        names = os.listdir(root / PENDING)
    except OSError:  # nothing was ever added; a folder that cannot be read is told of by who reads documents
        return []
    changes: dict[str, Change] = {}
    for name in names:
        identifier = name.partition(".")[0]
        if is_id(identifier):
            change = changes.setdefault(identifier, Change(identifier))
            change.marks.append(name)
            if not is_going_on(root, identifier, name):
                change.done.append(name)
    return list(changes.values())


def is_going_on(root: Path, identifier: str, mark: str) -> bool:
    """Whether a change is not finished; one that has not moved for an hour was left by who was killed, and ends."""
    incomplete = document_path(root, identifier).with_name(f".{mark}")
    try:
        age = time.time() - incomplete.stat().st_mtime
    except OSError:
        return False
    if age < STALE:
        return True
    with contextlib.suppress(OSError):  # another one was quicker, or may not write here
        incomplete.unlink()
    return False


def remove_marks(root: Path, marks: list[str]) -> None:
    """Remove marks that an index has learnt of."""
    for mark in marks:
        with contextlib.suppress(OSError):  # another one was quicker; a mark that stays is only looked at again
            (root / PENDING / mark).unlink()
