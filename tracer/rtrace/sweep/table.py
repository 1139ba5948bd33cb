"""The table of a sweep: a row for each combination; its parameters, how it ended, its numbers, outputs and costs."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.printable import printable_text, protect_cell

if TYPE_CHECKING:
    from rtrace.sweep.axes import Axis
    from rtrace.sweep.combinations import Combination
    from rtrace.sweep.rows import Made, Row

MOST_COLUMNS = 200
"""Of numbers; a program that prints another label in each replay would make thousands."""
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Line:
    """A combination with what came of it."""

    combination: Combination
    row: Row


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it is, and a text for each line; empty where there is nothing."""

    name: str
    kind: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """All columns, each with as many cells as there are lines; ``left_out`` is how many numbers have no column."""

    columns: tuple[Column, ...]
    left_out: int = 0


def make_table(axes: Sequence[Axis], lines: Sequence[Line]) -> Table:
    """Return the table of the lines in their order."""
    columns = [
        Column(axis.label, "parameter", tuple(line.combination.values[place] for line in lines))
        for place, axis in enumerate(axes)
    ]
    columns.append(Column("state", "state", tuple(line.row.state for line in lines)))
    columns.append(Column("exit status", "state", tuple(_text(line.row.exit_status) for line in lines)))
    columns += _number_columns(lines, taken=[column.name for column in columns])
    left_out = max(0, len(columns) - len(axes) - 2 - MOST_COLUMNS)
    columns = columns[: len(axes) + 2 + MOST_COLUMNS]
    columns += _output_columns(lines)
    columns.append(Column("stdout", "size", tuple(_text(line.row.stdout) for line in lines)))
    columns.append(Column("seconds", "cost", tuple(_seconds(line.row.seconds) for line in lines)))
    columns.append(Column("memory", "cost", tuple(_text(line.row.memory) for line in lines)))
    columns.append(Column("folder", "folder", tuple(line.combination.name for line in lines)))
    columns.append(Column("notes", "notes", tuple("; ".join(line.row.notes) for line in lines)))
    return Table(tuple(columns), left_out)


def _number_columns(lines: Sequence[Line], taken: Iterable[str]) -> list[Column]:
    """Return a column for each label; its name says whose it is where another output has the same label."""
    keys = dict.fromkeys((number.source, number.label) for line in lines for number in line.row.numbers)
    used = Counter(label for _, label in keys) + Counter(taken) + Counter(_RESERVED)
    found = [{(number.source, number.label): number.text for number in line.row.numbers} for line in lines]
    return [
        Column(label if used[label] == 1 else f"{source}:{label}", "number", tuple(one.get(key, "") for one in found))
        for key in keys
        for source, label in [key]
    ]


_RESERVED = ("stdout", "seconds", "memory", "folder", "notes")


def _output_columns(lines: Sequence[Line]) -> list[Column]:
    """Return two columns for each output: its size, and its SHA-256; an output of several files has one of them all."""
    names = dict.fromkeys(name for line in lines for name in (*(made.name for made in line.row.outputs),))
    names.update(dict.fromkeys(name for line in lines for name in line.row.missing))
    columns = []
    for name in names:
        made = [[one for one in line.row.outputs if one.name == name] for line in lines]
        sizes = tuple(str(sum(one.size for one in files)) if files else "" for files in made)
        columns.append(Column(f"{name} size", "size", sizes))
        columns.append(Column(f"{name} sha256", "digest", tuple(map(join_digests, made))))
    return columns


def join_digests(files: Sequence[Made]) -> str:
    """Return the digest of a file, or one of the names and digests of several."""
    if len(files) <= 1:
        return files[0].sha256 if files else ""
    import hashlib

    lines = sorted(f"{one.sha256}  {one.file}\n" for one in files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def write_csv(table: Table) -> str:
    """Return a table as CSV (RFC 4180), in which no cell is a formula for a spreadsheet, and nothing unseen."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([tame(column.name) for column in table.columns])
    writer.writerows(zip(*([tame(cell) for cell in column.cells] for column in table.columns), strict=True))
    return file.getvalue()


def tame(text: str) -> str:
    """Return a cell that a spreadsheet takes for a number or for text, never for a formula."""
    return text if _NUMBER.fullmatch(text) else protect_cell(printable_text(text))


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
