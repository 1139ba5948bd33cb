"""The index of a folder of documents: opened, brought up to date, or made again."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from rtrace.errors import BusyError, HistoryError, RecordError
from rtrace.files.folders import folder_flags, has_descriptors
from rtrace.files.locks import NO_LOCK, Lock, lock_folder
from rtrace.record.history.documents import extract_document, read_document
from rtrace.record.history.layout import PENDING, document_path, list_identifiers, tell_of_making
from rtrace.record.history.marks import Change, list_changes, remove_marks
from rtrace.record.stores.extraction import Indexed
from rtrace.record.stores.sqlite_index import SCHEMA_VERSION, connect, drop, note_unread, put, read_version

CATALOGUE = "catalogue.sqlite3"
_PATIENCE, _PAUSE = 10.0, 0.02


class Indexing:
    """The index of a history's folder; ``tell`` is told what is wrong with it."""

    def __init__(self, root: Path, tell: Callable[[str], None]) -> None:
        self.root = root
        self.path = root / CATALOGUE
        self._tell = tell

    def open(self) -> sqlite3.Connection:
        """Open the index, up to date, or make it where there is none that can be used. Raises HistoryError.

        Where nothing may be written, what is new is added to a copy in memory.
        """
        if not os.access(self.root, os.W_OK):
            return self._copy()
        connection = self._open_usable(writable=True)
        if connection is None:
            return self._make()
        if not list_changes(self.root):
            return connection
        try:
            with self._locked():
                self._update(connection)
        except BusyError as error:
            self._tell(f"the newest runs may be missing: {error}")
        except sqlite3.Error as error:
            self._tell(f"cannot write the catalogue {self.path}: {error}; it is brought up to date when it can be")
            connection.close()
            return self._copy()
        return connection

    def rebuild(self, on_progress: Callable[[int], None] = lambda _number: None) -> int:
        """Make the index again from all documents; return how many there are. Raises HistoryError and BusyError."""
        from rtrace.record.history.rebuilding import rebuild_index

        with self._locked():
            changes = list_changes(self.root)
            paths = [(one, document_path(self.root, one)) for one in list_identifiers(self.root)]
            try:
                rebuild_index(self.path, paths, on_progress)
            except (OSError, sqlite3.Error) as error:
                why = (error.strerror if isinstance(error, OSError) else None) or error
                raise HistoryError(f"cannot write the catalogue {self.path}: {why}; make room, or remove it") from None
            for change in changes:
                remove_marks(self.root, change.done)
        return len(paths)

    def _make(self) -> sqlite3.Connection:
        tell_of_making(self._tell, str(self.root), sum(1 for _ in list_identifiers(self.root)))
        try:
            self.rebuild()
        except BusyError as error:
            self._tell(str(error))
        except HistoryError as error:
            self._tell(str(error))
            return self._copy()
        connection = self._open_usable(writable=True)
        return self._copy() if connection is None else connection

    def _copy(self) -> sqlite3.Connection:
        """Return an index that nobody keeps: a copy with what is new, or one of all documents."""
        source = self._open_usable(writable=False)
        changes = list_changes(self.root)
        if source is not None and not changes:
            return source
        from rtrace.record.history.rebuilding import extract_all, fill
        from rtrace.record.stores.sqlite_index import make_schema

        memory = sqlite3.connect(":memory:", isolation_level=None)
        if source is None:
            make_schema(memory)
            fill(memory, extract_all([(one, document_path(self.root, one)) for one in list_identifiers(self.root)]))
            return memory
        with contextlib.closing(source):
            source.backup(memory)
        self._learn(memory, changes)
        return memory

    def _locked(self) -> Lock:
        """Let nobody else change the index meanwhile. Raises BusyError when somebody does for ten seconds."""
        if not has_descriptors():  # Windows, where there are no locks either
            return NO_LOCK
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                folder = os.open(self.root / PENDING, folder_flags())
            except OSError:  # nothing was ever added
                return NO_LOCK
            try:
                return lock_folder(folder, f"the catalogue {self.path}")
            except BusyError:
                if time.monotonic() > deadline:
                    raise
            finally:
                os.close(folder)
            time.sleep(_PAUSE)

    def _open_usable(self, *, writable: bool) -> sqlite3.Connection | None:
        """Open the index; None where there is none that can be used, which is told. Raises HistoryError."""
        if not self.path.exists():
            return None
        connection = None
        try:
            connection = connect(self.path, writable=writable)
            version = read_version(connection)
            if connection.execute("SELECT 1 FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchone():
                raise sqlite3.DatabaseError("it has views or triggers, which are not rtrace's")
        except sqlite3.OperationalError as error:
            _close(connection)
            raise HistoryError(
                f"cannot read the catalogue {self.path}: {error}; wait for who uses it, or check its permissions"
            ) from None
        except sqlite3.DatabaseError as error:
            _close(connection)
            self._tell(f"the catalogue {self.path} is broken ({error}); it is made again from the documents")
            return None
        if version > SCHEMA_VERSION:
            connection.close()
            raise HistoryError(f"the catalogue {self.path} is of a newer rtrace; update rtrace, or remove this file")
        if version < SCHEMA_VERSION:
            connection.close()
            return None
        return connection

    def _update(self, connection: sqlite3.Connection) -> None:
        """Bring the index up to date, and remove the marks that it has learnt of."""
        changes = list_changes(self.root)
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._learn(connection, changes)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # what is wrong with the database is being raised already
                connection.execute("ROLLBACK")
            raise
        for change in changes:
            remove_marks(self.root, change.done)

    def _learn(self, connection: sqlite3.Connection, changes: list[Change]) -> None:
        for change in changes:
            path = document_path(self.root, change.identifier)
            try:
                data = read_document(path)
                if data is None:
                    drop(connection, change.identifier, self._read_last(change))
                else:
                    put(connection, extract_document(data, change.identifier, str(path)))
            except (RecordError, HistoryError) as error:
                drop(connection, change.identifier, None)
                note_unread(connection, change.identifier, str(error))

    def _read_last(self, change: Change) -> Indexed | None:
        """Return what the document said that was removed: it has become its own mark."""
        for mark in change.marks:
            path = self.root / PENDING / mark
            with contextlib.suppress(RecordError, HistoryError):  # the index then drops what it can without it
                data = read_document(path)
                if data:
                    return extract_document(data, change.identifier, str(path))
        return None


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.close()
