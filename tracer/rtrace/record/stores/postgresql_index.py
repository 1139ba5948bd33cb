"""The tables of a history in PostgreSQL: the documents, and what is found by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from rtrace.errors import HistoryError
from rtrace.record.stores.escaping import SEPARATOR
from rtrace.record.stores.extraction import COLUMNS, EXTRACTION, Indexed
from rtrace.record.stores.postgresql_connection import Database

SCHEMA_VERSION = 100 + EXTRACTION
MAKING = 0
"""In place of the version as long as the tables are not filled: whoever finds nobody at it begins again."""
LOCK = 0x72747261
"""An advisory lock of ours: tables are made by one at a time."""
FILLING = LOCK + 1
"""The one that is held as long as they are filled."""

_KINDS = {"started": "bigint", "wall": "double precision", "exit_code": "bigint", "signal": "bigint"}
_KINDS |= {"inputs": "integer", "outputs": "integer"}
_RUN_COLUMNS = ", ".join(f'"{name}" {_KINDS.get(name, "text")}' for name in COLUMNS if name != "id")

TABLES = f"""
CREATE SCHEMA IF NOT EXISTS rtrace;
CREATE TABLE IF NOT EXISTS rtrace.meta (version integer);
CREATE TABLE IF NOT EXISTS rtrace.documents (id text PRIMARY KEY, document text NOT NULL);
CREATE TABLE IF NOT EXISTS rtrace.forgotten (id text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS rtrace.runs (
    id text PRIMARY KEY, {_RUN_COLUMNS}, taglist text[], parameters text[], prose tsvector);
CREATE TABLE IF NOT EXISTS rtrace.files (id text PRIMARY KEY, fingerprint text, words tsvector, keys bigint[]);
"""
_GIN = "USING gin ({}) WITH (fastupdate = off)"  # what is new is found at once, and not by reading a list of it
INDEXES = {
    "runs_by_time": "ON rtrace.runs (started DESC NULLS LAST, id DESC)",
    "runs_by_label": "ON rtrace.runs USING hash (label) WHERE label IS NOT NULL",
    "runs_by_tags": f"ON rtrace.runs {_GIN.format('taglist')}",
    "runs_by_parameters": f"ON rtrace.runs {_GIN.format('parameters')}",
    "runs_by_prose": f"ON rtrace.runs {_GIN.format('prose')}",
    "files_by_words": f"ON rtrace.files {_GIN.format('words')}",
    "files_by_keys": f"ON rtrace.files {_GIN.format('keys')}",
}
RUN_COLUMNS = (*COLUMNS, "taglist", "parameters", "prose")
FILE_COLUMNS = ("id", "fingerprint", "words", "keys")

_WORD = re.compile(r"[^\W_]+")
_LAST_POSITION = 16383
_MOST_POSITIONS = 200
_MOST_LEXEMES = 20_000
_LONGEST_LEXEME = 400
_MOST_BYTES = 1_000_000
_ABOUT_LEXEME = 4  # its places are counted, and begin at an even byte
_LONGEST_KEY = 500
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_KEY_DIGITS = 16
_SIGN = 1 << 63


def prepare(database: Database) -> int:
    """Make the tables where there are none; return the version of what is found by. Raises HistoryError."""
    version = read_version(database)
    if version is None:
        with database.changing():
            database.ask(f"SELECT pg_advisory_xact_lock({LOCK})")
            version = read_version(database)  # another one was quicker, perhaps
            if version is None:
                make_tables(database)
                make_indexes(database)
                version = MAKING if database.ask("SELECT 1 FROM rtrace.documents LIMIT 1") else SCHEMA_VERSION
                write_version(database, version)
    if version > SCHEMA_VERSION:
        raise HistoryError(f"the history {database.address.shown} is of a newer rtrace; update rtrace to use it")
    return version


def read_version(database: Database) -> int | None:
    """Return the version of the tables, `MAKING` while they are filled, None where there are none."""
    known = database.ask("SELECT CAST(to_regclass('rtrace.meta') AS text)")
    if known[0][0] is None:
        return None
    versions = database.ask("SELECT max(version) FROM rtrace.meta")
    version = versions[0][0]
    return None if version is None else int(version)


def write_version(database: Database, version: int) -> None:
    """Note the version of the tables."""
    database.ask("DELETE FROM rtrace.meta")
    database.ask("INSERT INTO rtrace.meta VALUES (:version)", version=version)


def is_of_this_rtrace(version: int) -> bool:
    """Whether what is found by can be put into tables of a version: they are this rtrace's, filled or being filled."""
    return version in {SCHEMA_VERSION, MAKING}


def make_tables(database: Database) -> None:
    """Make tables that are not there, without indexes."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            database.ask(statement)


def make_indexes(database: Database, *, aside: bool = False) -> None:
    """Make the indexes that are not there, also ``aside`` of others who write meanwhile."""
    for name, definition in INDEXES.items():
        database.ask(f"CREATE INDEX {'CONCURRENTLY' if aside else ''} IF NOT EXISTS {name} {definition}")


def put(database: Database, indexed: Indexed) -> None:
    """Add a run to the tables, or put it in the place of its older version."""
    values = dict(zip(RUN_COLUMNS, describe_run(indexed), strict=True))
    places = ", ".join(f"CAST(:{name} AS {find_kind(name)})" for name in RUN_COLUMNS)
    names = ", ".join(f'"{name}"' for name in RUN_COLUMNS)
    renewed = ", ".join(f'"{name}" = excluded."{name}"' for name in RUN_COLUMNS)
    database.ask(
        f"INSERT INTO rtrace.runs ({names}) VALUES ({places}) ON CONFLICT (id) DO UPDATE SET {renewed}",  # noqa: S608
        **values,
    )
    identifier, fingerprint, words, keys = describe_files(indexed)
    database.ask(
        "INSERT INTO rtrace.files VALUES (:id, :fingerprint, CAST(:words AS tsvector), CAST(:keys AS bigint[])) "
        "ON CONFLICT (id) DO UPDATE "
        "SET fingerprint = excluded.fingerprint, words = excluded.words, keys = excluded.keys "
        "WHERE rtrace.files.fingerprint <> excluded.fingerprint",
        id=identifier,
        fingerprint=fingerprint,
        words=words,
        keys=keys,
    )


def find_kind(column: str) -> str:
    """Return the type of a column of runs."""
    return {"taglist": "text[]", "parameters": "text[]", "prose": "tsvector"}.get(column) or _KINDS.get(column, "text")


def describe_run(indexed: Indexed) -> tuple[str | None, ...]:
    """Return a run as the text of its columns."""
    columns = [None if value is None else str(value) for value in indexed.row]
    parameters = [write_parameter(name, value) for name, value in indexed.parameters]
    return (
        *columns,
        write_array(map(shorten_key, indexed.tags)),
        write_array(parameters),
        write_positions(indexed.prose),
    )


def describe_files(indexed: Indexed) -> tuple[str, str, str, str]:
    """Return a run's files as the text of their columns."""
    words = write_lexemes(dict.fromkeys(indexed.words.split(), ()))
    keys = ",".join([str(write_key(key)) for key in indexed.keys.split()])
    return str(indexed.row[0]), indexed.fingerprint.hex(), words, f"{{{keys}}}"


def write_key(key: str) -> int:
    """Return a key as a number of 64 bits with a sign; the letter that it begins with counts."""
    number = int(key[1 : 1 + _KEY_DIGITS], 16) ^ (ord(key[0]) * 0x9E3779B97F4A7C15 & (1 << 64) - 1)
    return number - (1 << 64) if number >= _SIGN else number


def write_parameter(name: str, value: str) -> str:
    """Return a parameter as the array of parameters has it."""
    return shorten_key(f"{name}{SEPARATOR}{value}")


def shorten_key(text: str) -> str:
    """Return a text, or what stands for one that is longer than an index takes: it is looked for as a whole alone."""
    if len(text) <= _LONGEST_KEY:
        return text
    return SEPARATOR * 2 + blake2b(text.encode(), digest_size=16).hexdigest()


def write_array(texts: Iterable[str]) -> str:
    """Return texts as an array is written."""
    return "{" + ",".join(map(quote, texts)) + "}"


def quote(text: str) -> str:
    """Return a text as an element of an array."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_positions(text: str) -> str:
    """Return the words of a text with their places, as a tsvector is written."""
    places: dict[str, list[str]] = {}
    for number, word in enumerate(_WORD.findall(text.lower()), 1):
        found = places.get(word)
        if found is None:
            places[word] = [str(min(number, _LAST_POSITION))]
        elif len(found) < _MOST_POSITIONS and number <= _LAST_POSITION:
            found.append(str(number))
    return write_lexemes(places)


def write_lexemes(places: Mapping[str, Sequence[str]]) -> str:
    """Return words with their places, if any, as a tsvector is written: as many as there is room for in one."""
    written: list[str] = []
    room = _MOST_BYTES
    for word, numbers in places.items():
        lexeme = word[:_LONGEST_LEXEME]
        room -= len(lexeme.encode()) + _ABOUT_LEXEME + 2 * len(numbers)
        if room < 0 or len(written) == _MOST_LEXEMES:
            break
        written.append(f"'{lexeme}':{','.join(numbers)}" if numbers else f"'{lexeme}'")
    return " ".join(written)


def write_copy(columns: Iterable[str | None]) -> str:
    """Return a line of COPY."""
    return "\t".join(["\\N" if column is None else column.translate(_ESCAPES) for column in columns]) + "\n"
