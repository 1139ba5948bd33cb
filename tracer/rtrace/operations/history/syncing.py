"""`rtrace sync`: two histories get what the other one has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtrace.errors import NoSuchRunError, RecordError, UsageError
from rtrace.record.changing.merging import merge_records
from rtrace.record.history.protocol import History

MOST_FORGOTTEN = 10
"""So many runs are forgotten without a question: nobody's mistake or ill will empties a history."""


@dataclass
class Synced:
    """How many records were fetched, sent, merged and forgotten, and how many could not be read."""

    fetched: int = 0
    sent: int = 0
    merged: int = 0
    forgotten: int = 0
    problems: int = 0


def sync_histories(mine: History, theirs: History, tell: Callable[[str], None], *, forget_many: bool = False) -> Synced:
    """Send each of two histories what the other one has, and take from each what was forgotten in the other.

    Of a record that both have, all that was added to either is kept. A document that cannot be read is told of.
    Raises UsageError where one would have the other forget a great many, unless ``forget_many``: nothing is done then.
    """
    synced = Synced()
    gone = mine.forgotten() | theirs.forgotten()
    here, there = set(mine.identifiers()), set(theirs.identifiers())
    for history, other, identifiers in ((mine, theirs, here), (theirs, mine, there)):
        going = len(identifiers & gone)
        if going > MOST_FORGOTTEN and not forget_many:
            raise UsageError(
                f"{other.place} has forgotten {going} of the {len(identifiers)} runs of {history.place}, which would "
                "lose them; make sure that this is meant, and add --forget-many"
            )
    for history, identifiers in ((mine, here), (theirs, there)):
        for identifier in sorted(identifiers & gone):
            history.remove(identifier)
            synced.forgotten += 1
        for identifier in gone - history.forgotten():
            history.forget(identifier)
    for identifier in sorted((here | there) - gone):
        try:
            sync_one(mine, theirs, identifier, synced)
        except (RecordError, NoSuchRunError) as error:
            synced.problems += 1
            tell(str(error))
    return synced


def sync_one(mine: History, theirs: History, identifier: str, synced: Synced) -> None:
    """Give two histories one record in the same state."""
    document = mine.read_document(identifier)
    if document is not None and document == theirs.read_document(identifier):
        return
    try:
        here = mine.read(identifier)
    except NoSuchRunError:
        mine.add(theirs.read(identifier))
        synced.fetched += 1
        return
    try:
        there = theirs.read(identifier)
    except NoSuchRunError:
        theirs.add(here)
        synced.sent += 1
        return
    for history, other in ((mine, there), (theirs, here)):
        history.replace(identifier, lambda current, other=other: merge_records(current, other))  # type: ignore[misc]
    synced.merged += 1
