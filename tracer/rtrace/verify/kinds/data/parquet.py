"""Parquet, read by DuckDB."""

from __future__ import annotations

import math
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rtrace.verify.kinds.contents import copy_to
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, list_some, shorten_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"PAR1"
_ROWS = 10_000
"""Rows that are fetched at a time."""
_AS_THEY_COME = "SELECT * FROM read_parquet(?)"
_IN_ORDER = "SELECT * FROM read_parquet(?) ORDER BY ALL"
_MANNER = {
    "threads": 1,
    "memory_limit": "1GB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class Parquet:
    """Compares columns and rows; groups of rows, encodings and compression do not count."""

    name = "Parquet"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as Parquet does."""
        return head.startswith(_MAGIC)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the tables. Raises CannotCompareError."""
        try:
            import duckdb
        except ImportError:
            raise CannotCompareError("Parquet is compared by DuckDB: pip install 'rtrace-repro[compare]'") from None
        findings = Findings(self.name, rule)
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("expected.parquet", "found.parquet")]
            for path, file in zip(paths, (expected, found), strict=True):
                copy_to(file, path)
            try:
                with duckdb.connect(config={**_MANNER, "temp_directory": folder}) as connection:
                    _compare_tables(connection, paths, findings)
            except duckdb.Error as error:
                raise CannotCompareError(f"it is no Parquet that can be read ({shorten_text(str(error))})") from None
        if findings.likeness in {"equal", "close"}:
            findings.ignore("layout and compression of the file")
        return findings.conclude()


def _compare_tables(connection: Any, paths: list[Path], findings: Findings) -> None:  # noqa: ANN401 -- duckdb's
    columns = []
    for path in paths:
        rows = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        columns.append([(row[0], row[1]) for row in rows])
    if columns[0] != columns[1]:
        shown = (
            list_some(f"{name} {kind}" for name, kind in one if (name, kind) not in other)
            for one, other in (columns, columns[::-1])
        )
        findings.differ("columns", *(text or "in another order" for text in shown))
        return
    names = [name for name, _ in columns[0]]
    left_out = {name for name in names if findings.leaves_out(name)}
    query = _IN_ORDER if findings.rule.unordered else _AS_THEY_COME
    if findings.rule.unordered:
        findings.ignore("order of rows")
    readers = [_fetch(connection.cursor().execute(query, [str(path)])) for path in paths]
    for number, (old, new) in enumerate(zip_longest(*readers), start=1):
        if old == new:
            continue
        if old is None or new is None:
            shown = ("no more rows" if row is None else shorten_text(str(row)) for row in (old, new))
            findings.differ(f"row {number}", *shown)
            return
        for name, one, other in zip(names, old, new, strict=True):
            if one != other and name not in left_out:
                _compare_cells(f"row {number}, column {shorten_text(name, 40)}", one, other, findings)


def _compare_cells(place: str, old: object, new: object, findings: Findings) -> None:
    """Compare two values, lists and structures of them included."""
    if isinstance(old, float) and isinstance(new, float):
        findings.number(place, old, new)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            _compare_cells(f"{place}[{number}]", one, other, findings)
    elif isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key in old:
            _compare_cells(f"{place}/{key}", old[key], new[key], findings)
    elif old != new and not (_is_integer(old) and _is_integer(new) and _is_close(old, new, findings)):
        findings.differ(place, shorten_text(str(old)), shorten_text(str(new)))


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_close(old: Any, new: Any, findings: Findings) -> bool:  # noqa: ANN401 -- integers
    """Whether two integers are close, which is noted then."""
    if findings.rule.is_exact or max(abs(old), abs(new)) > math.ldexp(1, 1000):
        return False
    likeness = findings.rule.compare(float(old), float(new))
    if likeness == "close":
        findings.number("", float(old), float(new))
    return likeness == "close"


def _fetch(cursor: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    while rows := cursor.fetchmany(_ROWS):
        yield from rows
