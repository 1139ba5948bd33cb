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
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, list_some, shorten_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"SQLite format 3\0"
_SCHEMA = (
    "SELECT name, ifnull(sql, '') FROM sqlite_master"
    " WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)


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
    schemas = [dict(connection.execute(_SCHEMA).fetchall()) for connection in (old, new)]
    one, other = ({_text(name): _text(sql) for name, sql in schema.items()} for schema in schemas)
    if one.keys() != other.keys():
        lacking, more = sorted(one.keys() - other.keys()), sorted(other.keys() - one.keys())
        findings.differ("tables", list_some(lacking) or "none more", list_some(more) or "not there")
    for name in sorted(one.keys() & other.keys()):
        if findings.leaves_out(f"/{name}"):
            continue
        if one[name] != other[name]:
            findings.differ(f"columns of the table {name}", shorten_text(one[name]), shorten_text(other[name]))
        elif one[name].upper().startswith("CREATE VIRTUAL"):
            continue  # its rows are in tables of its own
        else:
            _compare_rows(name, _read_rows(old, name), _read_rows(new, name), findings)


def _read_rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    quoted = '"' + table.replace('"', '""') + '"'
    columns = [_text(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    order = ", ".join(map(str, range(1, len(columns) + 1)))
    with closing(connection.execute(f"SELECT * FROM {quoted} ORDER BY {order}")) as rows:  # noqa: S608 -- quoted
        for row in rows:
            yield tuple(_text(value) if isinstance(value, bytes) else value for value in row)


def _compare_rows(
    name: str, old: Iterator[tuple[object, ...]], new: Iterator[tuple[object, ...]], findings: Findings
) -> None:
    for number, (one, other) in enumerate(zip_longest(old, new), start=1):
        if one is None or other is None:
            findings.differ(f"row {number} of the table {name}", *(_show(row) for row in (one, other)))
            return
        if one == other and list(map(type, one)) == list(map(type, other)):
            continue
        for column, (first, second) in enumerate(zip(one, other, strict=True), start=1):
            place = f"row {number}, column {column} of the table {name}"
            if isinstance(first, float) and isinstance(second, float):
                findings.number(place, first, second)
            elif first != second or type(first) is not type(second):
                findings.differ(place, shorten_text(str(first)), shorten_text(str(second)))


def _show(row: tuple[object, ...] | None) -> str:
    return "no more rows" if row is None else shorten_text(", ".join(map(str, row)))


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
