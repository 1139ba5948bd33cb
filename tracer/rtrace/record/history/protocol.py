"""What a history and its catalogue are to everybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.record.query import Made, Query, Row


class Catalogue(Protocol):
    """An index over the documents of a history, brought up to date."""

    def resolve(self, name: str) -> str:
        """Return the identifier of the run that a person names: a label, the beginning of an id, last or last~2.

        Raises NoSuchRunError and AmbiguousRunError.
        """
        ...

    def find(self, query: Query) -> list[Row]:
        """Return the runs that fit, the newest first."""
        ...

    def count(self, query: Query) -> int:
        """Return how many runs fit, whatever the query's limit is."""
        ...

    def blame(self, sha256: str) -> list[Made]:
        """Return which runs wrote a content, stamped or not, the newest first."""
        ...

    def short(self, identifier: str) -> str:
        """Return the shortest beginning of an identifier that names it alone: eight characters, or more."""
        ...

    def unread(self) -> list[tuple[str, str]]:
        """Return the identifiers of records that could not be read, and why."""
        ...

    def close(self) -> None:
        """Close the index."""
        ...


class History(Protocol):
    """Where records are kept; ``place`` is what a person calls it, without a password."""

    place: str

    def add(self, record: Record, document: bytes | None = None) -> None:
        """Keep a new record, whole or not at all; the catalogue learns of it when it is asked next.

        ``document`` is the record written out, where that was done already. Raises HistoryError.
        """
        ...

    def read(self, identifier: str) -> Record:
        """Return the record of a full identifier. Raises NoSuchRunError and RecordError."""
        ...

    def read_document(self, identifier: str) -> bytes | None:
        """Return a record as it is kept, None where there is none. Raises HistoryError."""
        ...

    def replace(self, identifier: str, change: Callable[[Record], Record]) -> Record:
        """Change a record while nobody else does; return what it is now. Raises NoSuchRunError and HistoryError."""
        ...

    def remove(self, identifier: str) -> None:
        """Forget a record, so that no other history brings it back. Raises NoSuchRunError and HistoryError."""
        ...

    def identifiers(self) -> Iterator[str]:
        """Yield the full identifiers of all records, in no order."""
        ...

    def forgotten(self) -> set[str]:
        """Return the identifiers of records that were removed."""
        ...

    def forget(self, identifier: str) -> None:
        """Note that a record that is not here was removed elsewhere. Raises HistoryError."""
        ...

    def rebuild(self, on_progress: Callable[[int], None] = ...) -> int:
        """Make the index again from all records; return how many there are. Raises HistoryError and BusyError."""
        ...

    def catalogue(self) -> Catalogue:
        """Open the catalogue, and bring it up to date. Raises HistoryError."""
        ...
