"""Tables of values between commas, semicolons or tabs: rows and cells."""

from __future__ import annotations

import csv
import io
import re
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, BinaryIO

from rtrace.verify.kinds.contents import peek
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text
from rtrace.verify.kinds.text import NUMBER, compare_numbers, find_codec, find_handler, is_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_DELIMITERS = ("\t", ",", ";")
_LOOKED_AT = 50
_LEAST_ROWS = 2
_MOST_SORTED = 1_000_000
"""Rows that may be put into another order to be compared."""
_LARGEST_CELL = 1 << 20
_PROSE = re.compile(r"[.!?] +[A-Z]")


class Table:
    """Compares cell by cell; how cells are quoted does not count."""

    name = "table"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether its first lines have cells, the same number of them in each."""
        return is_text(head) and find_delimiter(head) is not None

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the cells; a number is compared as one."""
        findings = Findings(self.name, rule)
        delimiters = {_find_delimiter_of(expected), _find_delimiter_of(found)}
        if len(delimiters) > 1 or None in delimiters:
            raise CannotCompareError("only one of the two is a table")
        delimiter = delimiters.pop() or ","
        rows: list[Iterator[list[str]]] = [_read_rows(file, delimiter, findings) for file in (expected, found)]
        header = _find_header(rows)
        if rule.unordered:
            findings.ignore("order of rows")
            rows = [_sort(one) for one in rows]
        columns: list[str] = header
        for number, (old, new) in enumerate(zip_longest(*rows), start=1):
            if old is None or new is None:
                findings.differ(f"row {number}", *(_show(row) for row in (old, new)))
                break
            if old != new:
                _compare_rows(number, columns, old, new, findings)
        if findings.likeness == "equal" and not findings.ignored:
            findings.ignore("quotes around cells, or line ends")
        return findings.conclude()


def find_delimiter(head: bytes) -> str | None:
    """Return what stands between cells by the beginning of a text; None where it is no table."""
    text = head.decode(find_codec(head), "replace")
    lines = text.splitlines()
    lines = [line for line in (lines if len(head) < (1 << 16) else lines[:-1])[:_LOOKED_AT] if line]
    if len(lines) < _LEAST_ROWS or any(_PROSE.search(line) for line in lines):
        return None
    for delimiter in _DELIMITERS:
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        if len(widths) == 1 and widths.pop() > 1:
            return delimiter
    return None


def _find_delimiter_of(file: BinaryIO) -> str | None:
    return find_delimiter(peek(file, 1 << 16))


def _read_rows(file: BinaryIO, delimiter: str, findings: Findings) -> Iterator[list[str]]:
    codec = find_codec(file.read(4))
    file.seek(0)
    text = io.TextIOWrapper(file, codec, find_handler(codec), newline="")
    csv.field_size_limit(_LARGEST_CELL)
    try:
        for row in csv.reader(text, delimiter=delimiter):
            if not findings.leaves_out(delimiter.join(row)):
                yield row
    except csv.Error as error:
        raise CannotCompareError(f"it is no table ({error})") from None
    finally:
        text.detach()


def _find_header(rows: list[Iterator[list[str]]]) -> list[str]:
    """Return the names of the columns, if both have the same; the rows yield them all the same."""
    firsts = [list(islice(one, 1)) for one in rows]
    for number, first in enumerate(firsts):
        rows[number] = _chain(first, rows[number])
    if firsts[0] and firsts[0] == firsts[1] and not any(NUMBER.fullmatch(cell) for cell in firsts[0][0]):
        return firsts[0][0]
    return []


def _chain(first: list[list[str]], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield from first
    yield from rest


def _sort(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    found = list(islice(rows, _MOST_SORTED + 1))
    if len(found) > _MOST_SORTED:
        raise CannotCompareError(f"the rows of a table of more than {_MOST_SORTED} are not put in order")
    return iter(sorted(found))


def _compare_rows(number: int, columns: list[str], old: list[str], new: list[str], findings: Findings) -> None:
    if len(old) != len(new):
        findings.differ(f"row {number}", _show(old), _show(new))
        return
    for position, (one, other) in enumerate(zip(old, new, strict=True)):
        if one == other:
            continue
        name = columns[position] if position < len(columns) else ""
        place = f"row {number}, column {shorten_text(name, 40) or position + 1}"
        if name and findings.leaves_out(name):
            continue
        if NUMBER.fullmatch(one.strip()) and NUMBER.fullmatch(other.strip()):
            compare_numbers(place, one.strip(), other.strip(), findings)
        elif one.strip() == other.strip():
            findings.ignore("blanks around cells")
        else:
            findings.differ(place, shorten_text(one), shorten_text(other))


def _show(row: list[str] | None) -> str:
    return "no more rows" if row is None else shorten_text(", ".join(row))
