"""A history in a folder: one document a record, readable without rtrace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import NoSuchRunError, RecordError
from rtrace.record.history.changing import Changing
from rtrace.record.history.layout import FORGOTTEN, document_path, list_folder, list_identifiers
from rtrace.record.ids import is_id
from rtrace.record.writing import write_record

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.record.history.indexing import Indexing
    from rtrace.record.stores.sqlite_catalogue import SqliteCatalogue


class FolderHistory:
    """A folder of documents, with an index beside them that is made of them."""

    def __init__(self, root: Path, tell: Callable[[str], None] = lambda _sentence: None) -> None:
        """Know the folder, which is made when the first record comes; ``tell`` is told what is wrong with its index."""
        self._tell = tell
        self.root = root
        self.place = str(root)
        self._changing = Changing(root)

    def add(self, record: Record, document: bytes | None = None) -> None:
        """Keep a new record. Raises HistoryError."""
        self._changing.write(record["id"], write_record(record) if document is None else document)

    def read(self, identifier: str) -> Record:
        """Return a record. Raises NoSuchRunError, RecordError and HistoryError."""
        from rtrace.record.reading import read_record  # adding a record needs no check of one

        data = self.read_document(identifier)
        if data is None:
            raise NoSuchRunError(f"{self.place} has no run {identifier}; `rtrace log` lists all")
        record = read_record(data, str(document_path(self.root, identifier)))
        if record["id"] != identifier:
            raise RecordError(f"{document_path(self.root, identifier)} is the document of another run; remove it")
        return record

    def read_document(self, identifier: str) -> bytes | None:
        """Return a document; None where there is none. Raises HistoryError."""
        from rtrace.record.history.documents import read_document

        if not is_id(identifier):
            return None
        return read_document(document_path(self.root, identifier))

    def replace(self, identifier: str, change: Callable[[Record], Record]) -> Record:
        """Change a record while nobody else does; return what it is now. Raises NoSuchRunError and HistoryError."""
        self.read(identifier)  # before a folder is made for what is not there
        with self._changing.holding(identifier):
            record = change(self.read(identifier))
            self._changing.write(identifier, write_record(record))
        return record

    def remove(self, identifier: str) -> None:
        """Forget a record. Raises NoSuchRunError and HistoryError."""
        if not is_id(identifier) or not document_path(self.root, identifier).exists():
            raise NoSuchRunError(f"{self.place} has no run {identifier}; `rtrace log` lists all")
        with self._changing.holding(identifier):
            try:
                self._changing.remove(identifier)
            except FileNotFoundError:
                raise NoSuchRunError(f"{self.place} has no run {identifier} any more") from None

    def identifiers(self) -> Iterator[str]:
        """Yield the identifiers of all documents. Raises HistoryError."""
        yield from list_identifiers(self.root)

    def forgotten(self) -> set[str]:
        """Return the identifiers of records that were removed. Raises HistoryError."""
        return set(filter(is_id, list_folder(self.root / FORGOTTEN)))

    def forget(self, identifier: str) -> None:
        """Note that a record that is not here was forgotten elsewhere; what is no identifier is passed over."""
        if is_id(identifier):  # it names a file
            self._changing.note_forgotten(identifier)

    def catalogue(self) -> SqliteCatalogue:
        """Open the index, and bring it up to date. Raises HistoryError."""
        from rtrace.record.stores.sqlite_catalogue import SqliteCatalogue

        return SqliteCatalogue(self._indexing().open(), self.place, self.read)

    def rebuild(self, on_progress: Callable[[int], None] = lambda _number: None) -> int:
        """Make the index again; return how many documents there are. Raises HistoryError and BusyError."""
        return self._indexing().rebuild(on_progress)

    def _indexing(self) -> Indexing:
        from rtrace.record.history.indexing import Indexing  # adding a record needs no SQLite

        return Indexing(self.root, self._tell)
