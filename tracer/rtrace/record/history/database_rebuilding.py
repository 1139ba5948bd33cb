"""The tables of a history in PostgreSQL made again from its documents, by several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rtrace.errors import BusyError, RecordError
from rtrace.record.history.documents import extract_document
from rtrace.record.stores.postgresql_address import Address
from rtrace.record.stores.postgresql_connection import Database
from rtrace.record.stores.postgresql_index import (
    FILE_COLUMNS,
    FILLING,
    LOCK,
    MAKING,
    RUN_COLUMNS,
    SCHEMA_VERSION,
    describe_files,
    describe_run,
    make_indexes,
    make_tables,
    write_copy,
    write_version,
)
from rtrace.record.stores.workers import count_processors, workers

_CHUNK, _CHUNK_BYTES = 25, 32 << 20


def rebuild_tables(database: Database, on_progress: Callable[[int], None]) -> int:
    """Make the tables again; return of how many documents. Raises HistoryError, and BusyError when another one does.

    Other processes read and write in transactions of their own, so the tables are new at once, and are filled for who
    looks meanwhile. What is added meanwhile is there already, and is left alone. Indexes are made when the tables are
    full, which takes a fraction of the time.
    """
    database.close()  # a connection is not shared with other processes
    with workers(max(count_processors(), 2)) as share:
        try:
            chunks = make_chunks(begin(database))
            done = 0
            for number in share(fill_chunk, [(database.address, chunk) for chunk in chunks]):
                done += number
                on_progress(done)
            with database.waiting():
                make_indexes(database, aside=True)
            with database.changing():
                write_version(database, SCHEMA_VERSION)
        finally:
            database.close()  # and with it goes the lock
    return sum(map(len, chunks))


def begin(database: Database) -> list[tuple[str, int]]:
    """Make empty tables, and let nobody else fill them; return the documents that were there, with their sizes."""
    if not database.ask(f"SELECT pg_try_advisory_lock({FILLING})")[0][0]:
        raise BusyError(
            f"the catalogue of {database.address.shown} is being made again by another process of rtrace; "
            "try again when that has ended"
        )
    with database.changing():
        database.ask(f"SELECT pg_advisory_xact_lock({LOCK})")
        database.ask("DROP TABLE IF EXISTS rtrace.runs, rtrace.files")
        make_tables(database)
        write_version(database, MAKING)
    rows = database.ask("SELECT id, octet_length(document) FROM rtrace.documents ORDER BY id")
    return [(str(identifier), int(size)) for identifier, size in rows]


def make_chunks(documents: Iterable[tuple[str, int]]) -> list[list[str]]:
    """Return the documents that are read together: so many, and as much, as a process has in memory at a time."""
    chunks: list[list[str]] = []
    room = 0
    for identifier, size in documents:
        if not chunks or size > room or len(chunks[-1]) == _CHUNK:
            chunks.append([])
            room = _CHUNK_BYTES
        chunks[-1].append(identifier)
        room -= size
    return chunks


_databases: dict[Address, Database] = {}
"""The connections of this process."""


def fill_chunk(task: tuple[Address, list[str]]) -> int:
    """Add documents to the tables; return how many they were."""
    address, identifiers = task
    database = _databases.setdefault(address, Database(address))
    rows = database.ask(
        "SELECT id, document FROM rtrace.documents WHERE id = ANY(CAST(:ids AS text[]))", ids=identifiers
    )
    described = {}
    for identifier, document in rows:
        try:
            indexed = extract_document(document.encode("utf-8", "surrogatepass"), identifier, identifier)
        except RecordError:  # whoever reads it is told why
            continue
        described[identifier] = (write_copy(describe_run(indexed)), write_copy(describe_files(indexed)))
    with database.changing():
        there = database.ask(  # and stays until its rows are
            "SELECT id FROM rtrace.documents WHERE id = ANY(CAST(:ids AS text[])) ORDER BY id FOR KEY SHARE",
            ids=list(described),
        )
        for place, (table, columns) in enumerate((("runs", RUN_COLUMNS), ("files", FILE_COLUMNS))):
            names = ", ".join(f'"{name}"' for name in columns)
            database.ask(f"CREATE TEMPORARY TABLE new_{table} (LIKE rtrace.{table}) ON COMMIT DROP")
            lines = [described[identifier][place].encode() for (identifier,) in there]
            database.copy(f"COPY new_{table} ({names}) FROM STDIN", lines)
            database.ask(f"INSERT INTO rtrace.{table} SELECT * FROM new_{table} ON CONFLICT DO NOTHING")  # noqa: S608 -- names of ours
    return len(rows)
