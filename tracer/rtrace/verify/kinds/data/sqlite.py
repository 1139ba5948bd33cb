"""SQLite databases, compared by their tables and rows; what is in them may be hostile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle.hostile_database import open_database
from rtrace.verify.kinds.contents import copy_to
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    _Row = tuple[object, ...]

_MAGIC = b"SQLite format 3\0"
_SCHEMA = (
    "SELECT name, ifnull(sql, ''), type FROM sqlite_master"
    " WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)
_NUMBERS = ("user_version", "application_id")


class Sqlite:
    """Compares the rows of each table in the order of their values; how the file is laid out does not count."""

    name = "SQLite database"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as a database does."""
        return head.startswith(_MAGIC)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare tables, columns and rows. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        with TemporaryDirectory() as folder:
            paths = [Path(folder) / "expected", Path(folder) / "found"]
            for path, file in zip(paths, (expected, found), strict=True):
                copy_to(file, path)
            try:
                with open_database(paths[0]) as old, open_database(paths[1]) as new:
                    _compare_databases(old, new, findings)
            except sqlite3.Error as error:
                raise CannotCompareError(f"it is no database that can be read ({error})") from None
        if findings.likeness in {"equal", "close"}:
            findings.ignore("order of rows, and layout of the file")
        return findings.conclude()


def _compare_databases(old: sqlite3.Connection, new: sqlite3.Connection, findings: Findings) -> None:
    one, other = ({_text(row[0]): row[1:] for row in connection.execute(_SCHEMA)} for connection in (old, new))
    for pragma in _NUMBERS:
        numbers = [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for connection in (old, new)]
        if numbers[0] != numbers[1]:
            findings.differ(pragma, *numbers)
    for name in sorted(one.keys() | other.keys()):
        if findings.leaves_out(f"/{name}"):
            continue
        if name not in one or name not in other:
            kind = _text((one.get(name) or other[name])[1])
            findings.differ(f"{kind} {name}", *("there" if name in schema else "not there" for schema in (one, other)))
            continue
        (old_sql, old_kind), (new_sql, new_kind) = one[name], other[name]
        sql = [_text(one) for one in (old_sql, new_sql)]
        if (old_kind, sql[0].split()) != (new_kind, sql[1].split()):
            place = f"columns of the table {name}" if old_kind == new_kind == b"table" else name
            findings.differ(place, *map(shorten_text, sql))
        elif old_kind == b"table" and not sql[0].upper().startswith("CREATE VIRTUAL"):  # whose rows are in others
            _compare_rows(name, old, new, findings)


def _list_columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [_text(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _read_rows(connection: sqlite3.Connection, table: str, columns: list[str]) -> Generator[_Row, None, None]:
    """Yield the rows in order, each value followed by the name of its type: text and bytes come alike."""
    quoted = [_quote(column) for column in columns]
    wanted = ", ".join(f"{column}, typeof({column})" for column in quoted)
    order = ", ".join(map(str, range(1, 2 * len(columns) + 1)))
    with closing(connection.execute(f"SELECT {wanted} FROM {_quote(table)} ORDER BY {order}")) as rows:  # noqa: S608
        for row in rows:
            yield tuple(_text(value) if isinstance(value, bytes) else value for value in row)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _compare_rows(name: str, old: sqlite3.Connection, new: sqlite3.Connection, findings: Findings) -> None:
    columns = _list_columns(old, name)
    left_out = [column for column in columns if findings.leaves_out(f"/{name}/{column}")]
    columns = [column for column in columns if column not in left_out]
    if not columns:
        return
    with closing(_read_rows(old, name, columns)) as first_rows, closing(_read_rows(new, name, columns)) as second_rows:
        _compare_in_order(name, columns, zip_longest(first_rows, second_rows), findings)


def _compare_in_order(
    name: str, columns: list[str], rows: Iterable[tuple[_Row | None, _Row | None]], findings: Findings
) -> None:
    for number, (one, other) in enumerate(rows, start=1):
        if one is None or other is None:
            findings.differ(f"row {number} of the table {name}", *(_show(row) for row in (one, other)))
            return
        if one == other:
            continue
        values = zip(columns, one[::2], one[1::2], other[::2], other[1::2], strict=True)
        for column, first, kind, second, other_kind in values:
            place = f"row {number}, column {shorten_text(column, 40)} of the table {name}"
            if isinstance(first, float) and isinstance(second, float):
                findings.number(place, first, second)
            elif kind != other_kind:
                findings.differ(
                    place,
                    *(f"{shorten_text(str(one))} ({what})" for one, what in ((first, kind), (second, other_kind))),
                )
            elif first != second:
                findings.differ(place, shorten_text(str(first)), shorten_text(str(second)))


def _show(row: tuple[object, ...] | None) -> str:
    return "no more rows" if row is None else shorten_text(", ".join(map(str, row[::2])))


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
