"""What a run did with a path, all its uses taken together: which of them need the content that was there before."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import cache

from rtrace.trace.schema import Use

_READ, _EXECUTE, _LIST, _METADATA = int(Use.READ), int(Use.EXECUTE), int(Use.LIST), int(Use.METADATA)
_WRITE, _CREATE, _APPEND = int(Use.WRITE), int(Use.CREATE), int(Use.APPEND)
_REMOVE, _MOVE = int(Use.REMOVE), int(Use.MOVE)
_REPLACE = int(Use.TRUNCATE | Use.REMOVE)
_UNREAD, _KEPT = int(Use.UNREAD), int(Use.KEPT)
_FROM_NOTHING = int(Use.CREATE | Use.TRUNCATE)


class Treatment(Enum):
    """What became of a path in a run, from what needs most of it to what needs least."""

    EXECUTED = "executed"
    REWRITTEN = "partly rewritten"
    APPENDED = "appended to"
    READ = "read"
    MOVED = "renamed or linked"
    CHANGED = "changed"
    REMOVED = "removed"
    REPLACED = "replaced from nothing"
    TEMPORARY = "made and removed again"
    MADE = "made"
    LISTED = "listed"
    LOOKED_UP = "looked up"

    @property
    def needs_content(self) -> bool:
        """Whether what the file held before belongs to the world before the run; else only that it was there.

        A replay looks into what was read, and leaves behind (under some name) what was neither replaced nor removed.
        """
        return self in _WITH_CONTENT


_ORDER = {treatment: place for place, treatment in enumerate(Treatment)}
_WITH_CONTENT = frozenset(list(Treatment)[: _ORDER[Treatment.CHANGED] + 1])


def classify(before: str | None, uses: Iterable[int], *, left: bool | None, moved: bool = False) -> Treatment:
    """Sum up the uses of a path in a run.

    ``before`` is the type of what was there (``facts.type``), None for nothing. ``uses`` are the rows of ``uses`` as
    they are, not added up: appending and rewriting are told apart by the single openings. ``left`` says that something
    was there after the run (``results.type``), None where nobody saw it (a killed tracer). ``moved`` says that it, or a
    folder above it, was given another name, under which anything may have been done with it. A folder that was only to
    be given one counts as well: what is told about it has to come out the same.

    A file that was there and is read counts as read, whatever else is done to it afterwards, unless that needs more. A
    file that was truncated after it was opened for writing (ftruncate(2)) counts as partly rewritten.
    """
    return _classify(before is not None, frozenset(uses), left, moved)


def most_needing(treatments: Iterable[Treatment]) -> Treatment:
    """Sum up what several runs did with a path: what one of them needs is needed."""
    return min(treatments, key=_ORDER.__getitem__)


def is_unread(uses: int) -> bool:
    """Return from all uses of a path in a run, added up, whether it was removed or replaced before anything needed it.

    Whatever is done with the path afterwards is done with what the run has put there.
    """
    return uses & (_UNREAD | _KEPT) == _UNREAD


@cache
def _classify(existed: bool, ways: frozenset[int], left: bool | None, moved: bool) -> Treatment:  # noqa: FBT001
    every = 0
    for way in ways:
        every |= way
    if left is None:
        left = not every & _REMOVE or bool(every & _CREATE)
    if not existed:
        if not every & _CREATE:
            return Treatment.LOOKED_UP
        return Treatment.MADE if left else Treatment.TEMPORARY
    if is_unread(every):
        return Treatment.REPLACED if left else Treatment.REMOVED
    if every & _EXECUTE:
        return Treatment.EXECUTED
    writing = [way for way in ways if way & _WRITE and not way & _FROM_NOTHING]
    replaced = every & _REPLACE
    if writing and not (replaced and left):
        return Treatment.APPENDED if all(way & _APPEND for way in writing) else Treatment.REWRITTEN
    if every & _READ:
        return Treatment.READ
    if moved or every & _MOVE:
        return Treatment.MOVED
    if replaced:
        return Treatment.REPLACED if left else Treatment.REMOVED
    if every & _METADATA:
        return Treatment.CHANGED
    return Treatment.LISTED if every & _LIST or not every else Treatment.LOOKED_UP
