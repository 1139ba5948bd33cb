"""What is found in an index that is an SQLite database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from rtrace.errors import HistoryError
from rtrace.record.query import Made, Query, Row
from rtrace.record.stores.escaping import escape, restore
from rtrace.record.stores.extraction import COLUMNS, find_file_key, find_keys, write_value
from rtrace.record.stores.making import find_made
from rtrace.record.stores.naming import Naming
from rtrace.record.stores.terms import Term, read_terms

if TYPE_CHECKING:
    from rtrace.record.document import Record

_ORDER = "ORDER BY started IS NULL, started DESC, id DESC"
_LIST = ", ".join(COLUMNS)


class SqliteCatalogue(Naming):
    """An open index. ``read`` reads a document, for what the index does not keep."""

    def __init__(self, connection: sqlite3.Connection, place: str, read: Callable[[str], Record]) -> None:
        self._connection = connection
        self._read = read
        self.place = place

    def find(self, query: Query) -> list[Row]:
        """Return the runs that fit, the newest first."""
        where, values = write_conditions(query)
        limit = -1 if query.limit is None else query.limit
        statement = f"SELECT {_LIST} FROM runs WHERE {where} {_ORDER} LIMIT ? OFFSET ?"  # noqa: S608 -- names of ours
        rows = self._ask(statement, (*values, limit, query.offset))
        try:
            return [make_row(row) for row in rows]
        except (TypeError, ValueError, RecursionError):
            raise HistoryError(
                f"the catalogue of {self.place} is damaged; `rtrace log --rebuild` makes it again"
            ) from None

    def count(self, query: Query) -> int:
        """Return how many runs fit, whatever the query's limit is."""
        where, values = write_conditions(query)
        ((number,),) = self._ask(f"SELECT count(*) FROM runs WHERE {where}", values)  # noqa: S608 -- names of ours
        return int(str(number))

    def blame(self, sha256: str, limit: int = 10) -> list[Made]:
        """Return which runs wrote a content, the newest first, as far as ``limit``."""
        statement = f"SELECT id FROM runs WHERE files IN (SELECT rowid FROM keys WHERE keys MATCH ?) {_ORDER} LIMIT ?"  # noqa: S608
        rows = self._ask(statement, (find_keys(sha256)[0], limit))
        return [made for (identifier,) in rows for made in find_made(self._read, str(identifier), sha256)]

    def unread(self) -> list[tuple[str, str]]:
        """Return the identifiers of documents that could not be read, and why."""
        return [(str(one), restore(str(why))) for one, why in self._ask("SELECT id, why FROM unread ORDER BY id", ())]

    def close(self) -> None:
        """Close the index."""
        self._connection.close()

    def _find_labelled(self, label: str) -> list[str]:
        rows = self._ask(f"SELECT id FROM runs WHERE label = ? {_ORDER}", (escape(label),))  # noqa: S608 -- names of ours
        return [str(one) for (one,) in rows]

    def _find_last(self, number: int) -> str | None:
        statement = f"SELECT id FROM runs WHERE kind = 'run' {_ORDER} LIMIT 1 OFFSET ?"  # noqa: S608 -- names of ours
        return next((str(one) for (one,) in self._ask(statement, (number,))), None)

    def _list_ids(self) -> list[str]:
        return [str(one) for (one,) in self._ask("SELECT id FROM runs ORDER BY id", ())]

    def _ask(self, statement: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise HistoryError(
                f"cannot read the catalogue of {self.place}: {error}; `rtrace log --rebuild` makes it again"
            ) from None


def write_conditions(query: Query) -> tuple[str, tuple[object, ...]]:
    """Return a query as a condition of SQL with its values."""
    conditions, values = ["1"], []
    for condition, value in (
        ("number IN (SELECT run FROM tags WHERE tag = ?)", escape(query.tag)),
        ("project = ?", escape(query.project)),
        ("started >= ?", query.since),
        ("started < ?", query.until),
        ("status = ?", escape(query.status)),
        ("kind = ?", escape(query.kind)),
        ("parent = ?", escape(query.parent)),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    keys = "files IN (SELECT rowid FROM keys WHERE keys MATCH ?)"
    if query.file is not None:
        conditions.append(keys)
        values.append(find_file_key(query.file))
    if query.digest is not None:
        conditions.append(keys)
        values.append(" OR ".join(find_keys(query.digest)))
    for name, wanted in query.parameters:
        conditions.append("number IN (SELECT run FROM parameters WHERE name = ? AND value = ?)")
        values += [escape(name), write_value(wanted)]
    for term in read_terms(query.text):
        conditions.append(
            "(number IN (SELECT rowid FROM prose WHERE prose MATCH ?) "
            "OR files IN (SELECT rowid FROM words WHERE words MATCH ?))"
        )
        values += [write_phrase(term), write_words(term)]
    return " AND ".join(conditions), tuple(values)


def write_phrase(term: Term) -> str:
    """Return a term as FTS5 looks for words that stand together."""
    return f'"{" ".join(term.words)}"' + ("*" if term.is_beginning else "")


def write_words(term: Term) -> str:
    """Return a term as FTS5 looks for words anywhere."""
    return " AND ".join(f'"{word}"' for word in term.words) + ("*" if term.is_beginning else "")


make_any_row: Callable[..., Row] = Row


def make_row(columns: tuple[object, ...]) -> Row:
    """Return a row of the table as what lists show."""
    *plain, tags, arguments = columns
    plain = [restore(value) if isinstance(value, str) else value for value in plain]
    return make_any_row(*plain, json.loads(str(tags)), json.loads(str(arguments)))
