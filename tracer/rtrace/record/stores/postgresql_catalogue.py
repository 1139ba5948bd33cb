"""What is found in a history in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtrace.record.stores.escaping import escape
from rtrace.record.stores.extraction import COLUMNS, find_file_key, find_keys, write_value
from rtrace.record.stores.making import find_made
from rtrace.record.stores.naming import Naming
from rtrace.record.stores.postgresql_connection import Database
from rtrace.record.stores.postgresql_index import shorten_key, write_array, write_key, write_parameter
from rtrace.record.stores.sqlite_catalogue import make_row
from rtrace.record.stores.terms import Term, read_terms

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.record.query import Made, Query, Row

_ORDER = "ORDER BY started DESC NULLS LAST, id DESC"
_ONE_OF = "id IN ({} OFFSET 0)"
"""Runs that are found at once, by an index: an offset keeps the planner from reading the files of run after run."""
_LIST = ", ".join(f'"{name}"' for name in COLUMNS)


class PostgresqlCatalogue(Naming):
    """The tables of a history. ``read`` reads a document, for what they do not keep."""

    def __init__(self, database: Database, read: Callable[[str], Record]) -> None:
        self._database = database
        self._read = read
        self.place = database.address.shown

    def find(self, query: Query) -> list[Row]:
        """Return the runs that fit, the newest first."""
        where, values = write_conditions(query)
        limit = "ALL" if query.limit is None else str(int(query.limit))
        statement = f"SELECT {_LIST} FROM rtrace.runs WHERE {where} {_ORDER} LIMIT {limit} OFFSET {int(query.offset)}"  # noqa: S608
        return [make_row(tuple(row)) for row in self._database.ask(statement, **values)]

    def count(self, query: Query) -> int:
        """Return how many runs fit, whatever the query's limit is."""
        where, values = write_conditions(query)
        rows = self._database.ask(f"SELECT count(*) FROM rtrace.runs WHERE {where}", **values)  # noqa: S608
        return int(rows[0][0])

    def blame(self, sha256: str, limit: int = 10) -> list[Made]:
        """Return which runs wrote a content, the newest first, as far as ``limit``."""
        files = "SELECT id FROM rtrace.files WHERE keys @> CAST(:keys AS bigint[])"
        statement = f"SELECT id FROM rtrace.runs WHERE {_ONE_OF.format(files)} {_ORDER} LIMIT {int(limit)}"  # noqa: S608
        rows = self._database.ask(statement, keys=write_keys(find_keys(sha256)[:1]))
        return [made for (identifier,) in rows for made in find_made(self._read, identifier, sha256)]

    def unread(self) -> list[tuple[str, str]]:
        """Return nothing: a document that cannot be read is refused when it is added."""
        return []

    def close(self) -> None:
        """End the connection."""
        self._database.close()

    def _find_labelled(self, label: str) -> list[str]:
        rows = self._database.ask(f"SELECT id FROM rtrace.runs WHERE label = :label {_ORDER}", label=escape(label))  # noqa: S608
        return [row[0] for row in rows]

    def _find_last(self, number: int) -> str | None:
        rows = self._database.ask(
            f"SELECT id FROM rtrace.runs WHERE kind = 'run' {_ORDER} LIMIT 1 OFFSET {int(number)}"  # noqa: S608
        )
        return rows[0][0] if rows else None

    def _list_ids(self) -> list[str]:
        return [row[0] for row in self._database.ask('SELECT id FROM rtrace.runs ORDER BY id COLLATE "C"')]


def write_conditions(query: Query) -> tuple[str, dict[str, object]]:
    """Return a query as a condition of SQL with its values by name."""
    conditions = ["true"]
    values: dict[str, object] = {}

    def add(condition: str, value: object) -> None:
        name = f"v{len(values)}"
        conditions.append(condition.replace(":value", f":{name}"))
        values[name] = value

    for condition, value in (
        ("project = :value", escape(query.project)),
        ("started >= CAST(:value AS bigint)", query.since),
        ("started < CAST(:value AS bigint)", query.until),
        ("status = :value", escape(query.status)),
        ("kind = :value", escape(query.kind)),
        ("parent = :value", escape(query.parent)),
    ):
        if value is not None:
            add(condition, value)
    if query.tag is not None:
        add("taglist @> CAST(:value AS text[])", write_array([shorten_key(escape(query.tag))]))
    for name, wanted in query.parameters:
        add("parameters @> CAST(:value AS text[])", write_array([write_parameter(escape(name), write_value(wanted))]))
    files = "SELECT id FROM rtrace.files WHERE {}"
    if query.file is not None:
        add(_ONE_OF.format(files.format("keys @> CAST(:value AS bigint[])")), write_keys([find_file_key(query.file)]))
    if query.digest is not None:
        add(_ONE_OF.format(files.format("keys && CAST(:value AS bigint[])")), write_keys(find_keys(query.digest)))
    for term in read_terms(query.text):
        add("SELECT id FROM rtrace.runs WHERE prose @@ CAST(:value AS tsquery)", write_query(term, " <-> "))
        add(files.format("words @@ CAST(:value AS tsquery)"), write_query(term, " & "))
        words, prose = conditions.pop(), conditions.pop()
        conditions.append(_ONE_OF.format(f"{prose} UNION ALL {words}"))
    return " AND ".join(conditions), values


def write_query(term: Term, between: str) -> str:
    """Return a term as a tsquery is written."""
    return between.join(f"'{word}'" for word in term.words) + (":*" if term.is_beginning else "")


def write_keys(keys: tuple[str, ...] | list[str]) -> str:
    """Return keys as an array is written."""
    return "{" + ",".join(str(write_key(key)) for key in keys) + "}"
