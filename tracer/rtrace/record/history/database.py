"""A history in a PostgreSQL database, for a lab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rtrace.errors import BusyError, HistoryError, NoSuchRunError, RecordError
from rtrace.record.history.documents import extract_document
from rtrace.record.history.layout import tell_of_making
from rtrace.record.history.outbox import open_outbox, send
from rtrace.record.ids import is_id
from rtrace.record.reading import read_record
from rtrace.record.stores.extraction import extract
from rtrace.record.stores.postgresql_address import read_address
from rtrace.record.stores.postgresql_catalogue import PostgresqlCatalogue
from rtrace.record.stores.postgresql_connection import Database, DatabaseGoneError
from rtrace.record.stores.postgresql_index import LOCK, SCHEMA_VERSION, is_of_this_rtrace, prepare, put
from rtrace.record.writing import write_record

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.record.stores.extraction import Indexed


class DatabaseHistory:
    """A database of documents and of the tables by which they are found; both change together.

    A record that the database cannot take waits in the outbox until it can.
    """

    def __init__(self, url: str, tell: Callable[[str], None] = lambda _sentence: None) -> None:
        self._database = Database(read_address(url))
        self._tell = tell
        self._version: int | None = None
        self.place = self._database.address.shown

    def add(self, record: Record, document: bytes | None = None) -> None:
        """Keep a new record, and send those that wait. Raises HistoryError when it has to wait itself."""
        try:
            self._keep(record, document)
        except DatabaseGoneError as error:
            open_outbox(self.place).add(record)
            raise HistoryError(f"{error}; the record waits, and is sent when a command reaches it") from None
        self._send()

    def read(self, identifier: str) -> Record:
        """Return a record. Raises NoSuchRunError, RecordError and HistoryError."""
        document = self.read_document(identifier)
        if document is None:
            raise NoSuchRunError(f"{self.place} has no run {identifier}; `rtrace log` lists all")
        record = read_record(document, f"the record {identifier} in {self.place}")
        if record["id"] != identifier:
            raise RecordError(f"the record {identifier} in {self.place} is the document of another run; remove it")
        return record

    def read_document(self, identifier: str) -> bytes | None:
        """Return a document; None where there is none. Raises HistoryError."""
        rows = self._ask("SELECT document FROM rtrace.documents WHERE id = :id", id=identifier)
        return rows[0][0].encode("utf-8", "surrogatepass") if rows else None

    def replace(self, identifier: str, change: Callable[[Record], Record]) -> Record:
        """Change a record while nobody else does. Raises NoSuchRunError and HistoryError."""
        self._prepare()
        with self._database.changing():
            self._ask("SELECT 1 FROM rtrace.documents WHERE id = :id FOR UPDATE", id=identifier)
            record = change(self.read(identifier))
            document = write_record(record).decode("ascii")
            self._ask(
                "UPDATE rtrace.documents SET document = :document WHERE id = :id", document=document, id=identifier
            )
            self._index(extract(record))
        return record

    def remove(self, identifier: str) -> None:
        """Forget a record. Raises NoSuchRunError and HistoryError."""
        self._prepare()
        with self._database.changing():
            rows = self._ask("DELETE FROM rtrace.documents WHERE id = :id RETURNING id", id=identifier)
            if not rows:
                raise NoSuchRunError(f"{self.place} has no run {identifier}; `rtrace log` lists all")
            self._ask("DELETE FROM rtrace.runs WHERE id = :id", id=identifier)
            self._ask("DELETE FROM rtrace.files WHERE id = :id", id=identifier)
            self.forget(identifier)

    def forget(self, identifier: str) -> None:
        """Note that a record that is not here was forgotten elsewhere."""
        self._ask("INSERT INTO rtrace.forgotten VALUES (:id) ON CONFLICT DO NOTHING", id=identifier)

    def identifiers(self) -> Iterator[str]:
        """Yield the identifiers of all documents. Raises HistoryError."""
        yield from (row[0] for row in self._ask("SELECT id FROM rtrace.documents") if is_id(row[0]))

    def forgotten(self) -> set[str]:
        """Return the identifiers of records that were removed. Raises HistoryError."""
        return {row[0] for row in self._ask("SELECT id FROM rtrace.forgotten") if is_id(row[0])}

    def catalogue(self) -> PostgresqlCatalogue:
        """Open the tables, and send what waits; those of an older rtrace are made again. Raises HistoryError."""
        if self._prepare() != SCHEMA_VERSION:
            self._renew()
        self._send()
        return PostgresqlCatalogue(self._database, self.read)

    def rebuild(self, on_progress: Callable[[int], None] = lambda _number: None) -> int:
        """Make the tables again from all documents; return how many there are. Raises HistoryError."""
        from rtrace.record.history.database_rebuilding import rebuild_tables

        made = rebuild_tables(self._database, on_progress)
        self._version = SCHEMA_VERSION
        return made

    def _renew(self) -> None:
        number = self._database.ask("SELECT count(*) FROM rtrace.documents")[0][0]
        tell_of_making(self._tell, self.place, number)
        try:
            self.rebuild()
        except BusyError as error:
            self._tell(f"runs may be missing: {error}")

    def _keep(self, record: Record, document: bytes | None) -> None:
        document = write_record(record) if document is None else document
        indexed = extract_document(document, record["id"], "the record")
        self._prepare()
        with self._database.changing():
            self._ask(
                "INSERT INTO rtrace.documents VALUES (:id, :document) "
                "ON CONFLICT (id) DO UPDATE SET document = excluded.document",
                id=record["id"],
                document=document.decode("ascii"),
            )
            self._ask("DELETE FROM rtrace.forgotten WHERE id = :id", id=record["id"])
            self._index(indexed)

    def _send(self) -> None:
        try:
            sent = send(open_outbox(self.place), _Direct(self))
        except HistoryError as error:
            self._tell(str(error))
        else:
            if sent:
                self._tell(f"sent {sent} waiting to {self.place}")

    def _ask(self, sql: str, **values: object) -> list[list[str]]:
        self._prepare()
        return self._database.ask(sql, **values)

    def _prepare(self) -> int:
        if self._version is None:
            self._version = prepare(self._database)
        return self._version

    def _index(self, indexed: Indexed) -> None:
        """Put into the tables what a document is found by; those of an older rtrace wait until they are made again."""
        version = self._prepare()
        if not is_of_this_rtrace(version):
            self._database.ask(f"SELECT pg_advisory_xact_lock_shared({LOCK})")  # so that no document is missed
            version = self._version = prepare(self._database)
        if is_of_this_rtrace(version):
            put(self._database, indexed)


class _Direct(DatabaseHistory):
    """The same history, which lets nothing wait a second time."""

    def __init__(self, history: DatabaseHistory) -> None:
        self.__dict__.update(history.__dict__)

    def add(self, record: Record, document: bytes | None = None) -> None:
        """Keep a record. Raises DatabaseGoneError."""
        self._keep(record, document)
