"""What a run did with a path, all its uses taken together: which of them need the content that was there before."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from rtrace.trace.schema import Use


class Treatment(Enum):
    """What became of a path in a run, from what needs most of it to what needs least."""

    EXECUTED = "executed"
    REWRITTEN = "partly rewritten"
    APPENDED = "appended to"
    READ = "read"
    REPLACED = "replaced from nothing"
    REMOVED = "removed"
    TEMPORARY = "made and removed again"
    MADE = "made"
    CHANGED = "changed in mode, owner, times or attributes"
    LISTED = "listed"
    LOOKED_UP = "looked up"

    @property
    def needs_content(self) -> bool:
        """Whether a replay needs what the file held before; the others need at most that it is there."""
        return self in (Treatment.EXECUTED, Treatment.REWRITTEN, Treatment.APPENDED, Treatment.READ)


def classify(before: str | None, uses: Iterable[int], *, left: bool) -> Treatment:
    """Sum up the uses of a path in a run.

    ``before`` is the type of what was there (``facts.type``), None for nothing. ``uses`` are the rows of ``uses`` as
    they are, not added up: appending and rewriting are told apart by the single openings. ``left`` says that something
    was there after the run (``results.type``).

    A file that was there and is read counts as read, whatever else is done to it afterwards, unless that needs more. A
    file that was truncated after it was opened for writing (ftruncate(2)) counts as partly rewritten.
    """
    ways = {Use(use) for use in uses}
    every = Use(0)
    for way in ways:
        every |= way
    if before is None:
        if not every & Use.CREATE:
            return Treatment.LOOKED_UP
        return Treatment.MADE if left else Treatment.TEMPORARY
    if every & Use.EXECUTE:
        return Treatment.EXECUTED
    writing = [way for way in ways if way & Use.WRITE and not way & (Use.CREATE | Use.TRUNCATE)]
    replaced = every & (Use.TRUNCATE | Use.REMOVE)
    if writing and not replaced:
        return Treatment.APPENDED if all(way & Use.APPEND for way in writing) else Treatment.REWRITTEN
    if every & Use.READ:
        return Treatment.READ
    if replaced:
        return Treatment.REPLACED if left else Treatment.REMOVED
    if every & Use.METADATA:
        return Treatment.CHANGED
    return Treatment.LISTED if every & Use.LIST else Treatment.LOOKED_UP
