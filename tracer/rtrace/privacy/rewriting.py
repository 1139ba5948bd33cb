"""Other bytes in the place of some, everywhere: in a manifest, and in a trace database down to its free pages."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Rewrite = Callable[[bytes], bytes]
    T = TypeVar("T")


def rewrite_value(value: T, rewrite: Rewrite) -> T:
    """Rewrite every string and byte string of a value that is made of data classes, tuples and dictionaries."""
    return cast("T", _rewrite(value, rewrite))


def _rewrite(value: object, rewrite: Rewrite) -> object:
    if isinstance(value, bytes):
        return rewrite(value)
    if type(value) is str:
        return rewrite(value.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    if isinstance(value, tuple):  # one with names, too
        return getattr(value, "_make", tuple)(_rewrite(item, rewrite) for item in value)
    if isinstance(value, dict):
        return {_rewrite(key, rewrite): _rewrite(item, rewrite) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _rewrite(getattr(value, field.name), rewrite) for field in fields(value)})
    return value


class DatabaseRewriter:
    """A copy of a trace database that is changed: what was there before does not stay in pages that are free."""

    def __init__(self, database: Path) -> None:
        self.connection = sqlite3.connect(database, isolation_level=None)
        self.connection.execute("PRAGMA secure_delete = ON")
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        self.connection.execute("BEGIN")

    def rewrite_column(self, rows: str, update: str, rewrite: Callable[[tuple[Any, ...]], bytes]) -> None:
        """Rewrite what a query gives as (id, content, ...) by a statement with content and id to be filled in."""
        for row in self.connection.execute(rows).fetchall():
            content = rewrite(row)
            if content != row[1]:
                self.connection.execute(update, (content, row[0]))

    def rewrite_everything(self, rewrite: Rewrite) -> None:
        """Rewrite every text and byte string of every table."""
        self.connection.create_function("rewrite", 1, rewrite, deterministic=True)
        self.connection.create_function("concerns", 1, lambda value: rewrite(value) != value, deterministic=True)
        for table, column in self._columns():
            self.connection.execute(
                f'UPDATE "{table}" SET "{column}" = CASE typeof("{column}")'  # noqa: S608 -- names of the schema
                f' WHEN \'text\' THEN CAST(rewrite(CAST("{column}" AS BLOB)) AS TEXT) ELSE rewrite("{column}") END'
                f" WHERE typeof(\"{column}\") IN ('text', 'blob') AND concerns(CAST(\"{column}\" AS BLOB))"
            )

    def finish(self) -> None:
        """Write the database anew, with nothing but what is in it now."""
        with closing(self.connection) as connection:
            connection.execute("COMMIT")
            connection.execute("VACUUM")
            connection.execute("PRAGMA journal_mode = DELETE")

    def _columns(self) -> Iterator[tuple[str, str]]:
        tables = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for (table,) in tables:
            for column in self.connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                yield table, column[1]
