"""Tables of an SQLite database that somebody else may have prepared: real tables, in bounded time and memory."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.bundle.hostile_database import check_table, open_database
from rtrace.record.foreign.source.files import open_plain, read_head
from rtrace.record.foreign.source.problem import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = dict[str, object]

_MAGIC = b"SQLite format 3\0"
_MOST_ROWS = 5_000_000


def is_database(path: str) -> bool:
    """Whether a file begins as SQLite's do."""
    return read_head(path, len(_MAGIC)) == _MAGIC


@contextmanager
def open_tables(path: str) -> Iterator[Tables]:
    """Open a database for reading, as it is on the disk. Raises Unreadable."""
    os.close(open_plain(path))
    if os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal"):
        raise Unreadable("another program has it open, and has not written everything into it yet; end that one")
    try:
        with open_database(Path(path)) as connection:
            yield Tables(connection)
    except sqlite3.Error as error:
        raise Unreadable(f"SQLite says: {str(error)[:100]}") from None


class Tables:
    """The tables of a database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._left = _MOST_ROWS

    def names(self) -> set[str]:
        """Return the names of the tables; a view is none."""
        rows = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (raw,) in rows if isinstance(name := _plain(raw), str)}

    def columns(self, table: str) -> set[str]:
        """Return the columns of a table."""
        return check_table(self._connection, table)

    def read(self, table: str, where: str | None = None, value: object = None) -> Iterator[Row]:
        """Yield the rows of a table as dictionaries, those alone whose column ``where`` has a value."""
        columns = sorted(check_table(self._connection, table))
        wanted = ", ".join(map(quote, columns))
        question = f"SELECT {wanted} FROM {quote(table)}"  # noqa: S608 -- quoted, and names of the database itself
        if where is not None:
            rows = self._connection.execute(f"{question} WHERE {quote(where)} IS ?", (value,))
        else:
            rows = self._connection.execute(question)
        for row in rows:
            self._left -= 1
            if self._left < 0:
                raise Unreadable("it has too many rows")
            yield {column: _plain(item) for column, item in zip(columns, row, strict=True)}

    def count(self, table: str, where: str, value: object) -> int:
        """Return how many rows have a value."""
        check_table(self._connection, table)
        question = f"SELECT count(*) FROM {quote(table)} WHERE {quote(where)} IS ?"  # noqa: S608
        return int(self._connection.execute(question, (value,)).fetchone()[0])

    def read_raw(self, table: str, columns: tuple[str, str]) -> Iterator[tuple[object, object]]:
        """Yield two columns of a table as they are, bytes being bytes."""
        check_table(self._connection, table)
        first, second = map(quote, columns)
        yield from self._connection.execute(f"SELECT {first}, {second} FROM {quote(table)}")  # noqa: S608


def quote(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _plain(value: object) -> object:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
