"""The index as an SQLite database: how it is opened, and how documents get into it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from rtrace.errors import HistoryError
from rtrace.record.stores.escaping import escape
from rtrace.record.stores.extraction import COLUMNS, EXTRACTION, Indexed

SCHEMA_VERSION = 100 + EXTRACTION
"""`PRAGMA user_version`; a greater one is of a newer rtrace, a smaller one is made again."""

_KINDS = {"started": "INTEGER", "wall": "REAL", "exit_code": "INTEGER", "signal": "INTEGER"}
_RUN_COLUMNS = ", ".join(f"{name} {_KINDS.get(name, '')}".strip() for name in COLUMNS)
_TOKENS = "content='', columnsize=0"

# A changed document gets a new number, and a new number of its files only when these changed: words of old versions
# stay in the tables of words, which cannot forget what they were not told, and lead nowhere.
SCHEMA = f"""
CREATE TABLE runs (number INTEGER PRIMARY KEY AUTOINCREMENT, files INTEGER, fingerprint BLOB, {_RUN_COLUMNS});
CREATE UNIQUE INDEX runs_by_id ON runs (id);
CREATE INDEX runs_by_time ON runs (kind, started);
CREATE INDEX runs_by_label ON runs (label) WHERE label IS NOT NULL;
CREATE INDEX runs_by_files ON runs (files);
CREATE TABLE tags (tag, run INTEGER, PRIMARY KEY (tag, run)) WITHOUT ROWID;
CREATE INDEX tags_by_run ON tags (run);
CREATE TABLE parameters (name, value, run INTEGER, PRIMARY KEY (name, value, run)) WITHOUT ROWID;
CREATE INDEX parameters_by_run ON parameters (run);
CREATE TABLE unread (id PRIMARY KEY, why);
CREATE VIRTUAL TABLE prose USING fts5(text, {_TOKENS}, tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE words USING fts5(text, {_TOKENS}, detail=none, tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE keys USING fts5(text, {_TOKENS}, detail=none, tokenize='ascii');
PRAGMA user_version = {SCHEMA_VERSION};
"""
_INSERT_RUN = (
    f"INSERT INTO runs (number, files, fingerprint, {', '.join(COLUMNS)}) "  # noqa: S608 -- names of ours
    f"VALUES (?, ?, ?{', ?' * len(COLUMNS)})"
)
_BUSY_SECONDS = 5.0


def connect(path: Path, *, writable: bool, new: bool = False) -> sqlite3.Connection:
    """Open an index. Raises sqlite3.Error."""
    mode = "rwc" if new else "rw" if writable else "ro"
    url = f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(url, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def make_schema(connection: sqlite3.Connection) -> None:
    """Fill an empty database with empty tables. Raises HistoryError where Python's SQLite cannot search text."""
    try:
        connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
    except sqlite3.OperationalError as error:
        if "fts5" in str(error):
            raise HistoryError(
                "this Python's SQLite has no FTS5, which a catalogue needs; use another Python"
            ) from None
        raise


def read_version(connection: sqlite3.Connection) -> int:
    """Return the version of an index's schema. Raises sqlite3.DatabaseError when it is no database."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def put(connection: sqlite3.Connection, indexed: Indexed) -> None:
    """Add a document to the index, or put it in the place of its older version."""
    old = connection.execute("SELECT number, files, fingerprint FROM runs WHERE id = ?", indexed.row[:1]).fetchone()
    number = next_number(connection)
    files = number
    if old is not None:
        if old[2] == indexed.fingerprint:
            files = old[1]
        _drop_rows(connection, old[0])
    insert_many(connection, [(number, files, indexed)])
    connection.execute("DELETE FROM unread WHERE id = ?", indexed.row[:1])


def next_number(connection: sqlite3.Connection) -> int:
    """Return the number of the next document; none is given twice."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'runs'").fetchone()
    return 1 if row is None else int(row[0]) + 1


def insert_many(connection: sqlite3.Connection, documents: Iterable[tuple[int, int, Indexed]]) -> None:
    """Add documents with their numbers and those of their files, which are known already where the two differ."""
    runs, tags, parameters, prose, files = [], [], [], [], []
    for number, file_number, indexed in documents:
        runs.append((number, file_number, indexed.fingerprint, *indexed.row))
        tags += [(tag, number) for tag in indexed.tags]
        parameters += [(name, value, number) for name, value in indexed.parameters]
        prose.append((number, indexed.prose))
        if number == file_number:
            files.append((number, indexed.words, indexed.keys))
    connection.executemany(_INSERT_RUN, runs)
    connection.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", tags)
    connection.executemany("INSERT OR IGNORE INTO parameters VALUES (?, ?, ?)", parameters)
    connection.executemany("INSERT INTO prose (rowid, text) VALUES (?, ?)", prose)
    connection.executemany("INSERT INTO words (rowid, text) VALUES (?1, ?2)", [row[:2] for row in files])
    connection.executemany("INSERT INTO keys (rowid, text) VALUES (?1, ?2)", [row[::2] for row in files])


def drop(connection: sqlite3.Connection, identifier: str, last: Indexed | None) -> None:
    """Take a run out of the index; ``last`` is what its document said, with which its words go as well."""
    old = connection.execute("SELECT number, files, fingerprint FROM runs WHERE id = ?", (identifier,)).fetchone()
    connection.execute("DELETE FROM unread WHERE id = ?", (identifier,))
    if old is None:
        return
    number, files, fingerprint = old
    _drop_rows(connection, number)
    if last is not None and last.fingerprint == fingerprint:
        connection.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (files, last.words))
        connection.execute("INSERT INTO keys (keys, rowid, text) VALUES ('delete', ?, ?)", (files, last.keys))
        connection.execute("INSERT INTO prose (prose, rowid, text) VALUES ('delete', ?, ?)", (number, last.prose))


def note_unread(connection: sqlite3.Connection, identifier: str, why: str) -> None:
    """Note that a document is there and cannot be read."""
    connection.execute("INSERT OR REPLACE INTO unread VALUES (?, ?)", (identifier, escape(why)))


def _drop_rows(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM runs WHERE number = ?", (number,))
    connection.execute("DELETE FROM tags WHERE run = ?", (number,))
    connection.execute("DELETE FROM parameters WHERE run = ?", (number,))
