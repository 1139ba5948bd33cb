"""A history in a folder: one document a record, readable without rtrace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from rtrace.errors import HistoryError, NoSuchRunError
from rtrace.record.document import Record
from rtrace.record.history.changing import FORGOTTEN, RECORDS, SUFFIX, Changing
from rtrace.record.ids import is_id
from rtrace.record.reading import MOST_BYTES, read_record
from rtrace.record.writing import write_record


class FolderHistory:
    """A folder of documents, with an index beside them that is made of them."""

    def __init__(self, root: Path) -> None:
        """Know the folder; it is made when the first record comes."""
        self.root = root
        self.place = str(root)
        self._changing = Changing(root)

    def add(self, record: Record) -> None:
        """Keep a new record. Raises HistoryError."""
        self._changing.write(record["id"], write_record(record))

    def read(self, identifier: str) -> Record:
        """Return a record. Raises NoSuchRunError, RecordError and HistoryError."""
        data = self.read_document(identifier)
        if data is None:
            raise NoSuchRunError(f"{self.place} has no run {identifier}; `rtrace log` lists all")
        record = read_record(data, str(self._changing.document(identifier)))
        if record["id"] != identifier:
            raise HistoryError(f"{self._changing.document(identifier)} is the document of another run; remove it")
        return record

    def read_document(self, identifier: str) -> bytes | None:
        """Return a document; None where there is none. Raises HistoryError."""
        if not is_id(identifier):
            return None
        return read_document(self._changing.document(identifier))

    def replace(self, identifier: str, change: Callable[[Record], Record]) -> Record:
        """Change a record while nobody else does; return what it is now. Raises NoSuchRunError and HistoryError."""
        self.read(identifier)  # before a folder is made for what is not there
        with self._changing.holding(identifier):
            record = change(self.read(identifier))
            self._changing.write(identifier, write_record(record))
        return record

    def remove(self, identifier: str) -> None:
        """Forget a record. Raises NoSuchRunError and HistoryError."""
        if not is_id(identifier) or not self._changing.document(identifier).exists():
            raise NoSuchRunError(f"{self.place} has no run {identifier}; `rtrace log` lists all")
        with self._changing.holding(identifier):
            try:
                self._changing.remove(identifier)
            except FileNotFoundError:
                raise NoSuchRunError(f"{self.place} has no run {identifier} any more") from None

    def identifiers(self) -> Iterator[str]:
        """Yield the identifiers of all documents. Raises HistoryError."""
        for folder in self._list(self.root / RECORDS):
            for name in self._list(self.root / RECORDS / folder):
                identifier = name.removesuffix(SUFFIX)
                if name.endswith(SUFFIX) and is_id(identifier):
                    yield identifier

    def forgotten(self) -> set[str]:
        """Return the identifiers of records that were removed. Raises HistoryError."""
        return set(filter(is_id, self._list(self.root / FORGOTTEN)))

    def forget(self, identifier: str) -> None:
        """Note that a record that is not here was forgotten elsewhere."""
        self._changing.note_forgotten(identifier)

    def _list(self, folder: Path) -> list[str]:
        try:
            return os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise HistoryError(
                f"cannot read the history {self.root}: {error.strerror}; check its permissions"
            ) from None


def read_document(path: Path) -> bytes | None:
    """Return the bytes of a document, one more than it may have at most; None where there is none.

    Raises HistoryError for what is there and cannot be read; a fifo is never waited for.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HistoryError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    with open(descriptor, "rb") as file:
        try:
            return file.read(MOST_BYTES + 1)
        except OSError as error:
            raise HistoryError(f"cannot read {path}: {error.strerror}; remove it, or restore it") from None
