"""The tables of a history in PostgreSQL made again from its documents, by several processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import get_context

from rtrace.errors import RecordError
from rtrace.record.history.documents import extract_document
from rtrace.record.stores.postgresql_address import Address
from rtrace.record.stores.postgresql_connection import Database
from rtrace.record.stores.postgresql_index import (
    FILE_COLUMNS,
    LOCK,
    RUN_COLUMNS,
    describe_files,
    describe_run,
    make_tables,
    write_copy,
)

_CHUNK = 25


def rebuild_tables(database: Database, on_progress: Callable[[int], None]) -> int:
    """Make the tables again; return of how many documents. Raises HistoryError.

    Other processes read and write in transactions of their own, so the tables are new at once, and are filled for who
    looks meanwhile. What is added meanwhile is there already, and is left alone.
    """
    with database.changing():
        database.ask(f"SELECT pg_advisory_xact_lock({LOCK})")
        database.ask("DROP TABLE IF EXISTS rtrace.runs, rtrace.files")
        make_tables(database)
    identifiers = [row[0] for row in database.ask("SELECT id FROM rtrace.documents ORDER BY id")]
    chunks = [(database.address, identifiers[at : at + _CHUNK]) for at in range(0, len(identifiers), _CHUNK)]
    done = 0
    database.close()  # a connection is not shared with other processes
    with get_context("fork").Pool(max(os.cpu_count() or 1, 2)) as pool:
        for number in pool.imap_unordered(fill_chunk, chunks):
            done += number
            on_progress(done)
    return len(identifiers)


_databases: dict[Address, Database] = {}
"""The connections of this process."""


def fill_chunk(task: tuple[Address, list[str]]) -> int:
    """Add documents to the tables; return how many they were."""
    address, identifiers = task
    database = _databases.setdefault(address, Database(address))
    rows = database.ask(
        "SELECT id, document FROM rtrace.documents WHERE id = ANY(CAST(:ids AS text[]))", ids=identifiers
    )
    runs, files = [], []
    for identifier, document in rows:
        try:
            indexed = extract_document(document.encode("utf-8", "surrogatepass"), identifier, identifier)
        except RecordError:  # whoever reads it is told why
            continue
        runs.append(write_copy(describe_run(indexed)))
        files.append(write_copy(describe_files(indexed)))
    with database.changing():
        for table, columns, lines in (("runs", RUN_COLUMNS, runs), ("files", FILE_COLUMNS, files)):
            names = ", ".join(f'"{name}"' for name in columns)
            database.ask(f"CREATE TEMPORARY TABLE new_{table} (LIKE rtrace.{table}) ON COMMIT DROP")
            database.copy(f"COPY new_{table} ({names}) FROM STDIN", [line.encode() for line in lines])
            database.ask(
                f"INSERT INTO rtrace.{table} SELECT * FROM new_{table} "  # noqa: S608 -- names of ours
                "WHERE id IN (SELECT id FROM rtrace.documents) ON CONFLICT DO NOTHING"
            )
    return len(rows)
