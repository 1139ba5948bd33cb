"""The lists of a record as tables: the columns in which something is known, and as many rows as a page holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from rtrace.pages.tables import Table
from rtrace.pages.values import make_cell

if TYPE_CHECKING:
    from rtrace.record.document import Record

Rows = Sequence[Mapping[str, object]]
Linker = Callable[[str, int, str, object], str]
"""Returns the address that a cell leads to, given the table, the row, the column and the value; empty for none."""

FIRST_ROWS, PAGE_ROWS = 50, 500
FEW_ROWS = {"settings": 5}
"""Lists that few people look for, and how many rows the page of a run has of each."""
LISTS = {
    "parameters": "Parameters",
    "inputs": "Inputs",
    "outputs": "Outputs",
    "executables": "Programs",
    "scripts": "Scripts",
    "libraries": "Libraries",
    "packages": "Packages",
    "environment": "Environment",
    "processes": "Processes",
    "notices": "What could not be captured",
    "redacted": "Taken out as secrets",
    "ranks": "Ranks",
    "annotations": "What was said later",
    "bundles": "Bundles",
    "kept": "Copies kept",
    "settings": "Settings of the system",
}
"""The lists that have a table of their own, by the record's key; settings are the machine's."""


def make_table(record: Record, name: str, link: Linker, first: int = 0, most: int = FIRST_ROWS) -> Table:
    """Return some rows of a list; columns that are empty in all of these are left out."""
    rows = list_rows(record, name)
    part = rows[first : first + most]
    columns = list(dict.fromkeys(key for row in part for key in row))
    cells = [
        [make_cell(key, row.get(key), link(name, first + number, key, row.get(key))) for key in columns]
        for number, row in enumerate(part)
    ]
    kept = [number for number in range(len(columns)) if any(row[number] is not None for row in cells)]
    return Table(
        name,
        LISTS.get(name, name.replace("_", " ").capitalize()),
        [columns[number].replace("_", " ") for number in kept],
        [[row[number] for number in kept] for row in cells],
        first,
        len(rows),
    )


def list_rows(record: Record, name: str) -> Rows:
    """Return a list of a record, a mapping for each row."""
    if name == "settings":
        return as_rows(record["machine"]["settings"])
    return as_rows(cast("Mapping[str, object]", record)[name])


def as_rows(value: object) -> Rows:
    """Return a list or mapping as rows: names and values of a mapping, and flat usage of what has one."""
    if isinstance(value, Mapping):
        return [{"name": name, "value": one} for name, one in value.items()]
    if not isinstance(value, list):
        return []
    return [_flatten(one) if isinstance(one, Mapping) else {"what": one} for one in value]


def _flatten(row: Mapping[str, object]) -> Mapping[str, object]:
    usage = row.get("usage")
    if not isinstance(usage, Mapping):
        return row
    # The run's own `user` and `system` times have those of nobody else's name in a row.
    return {**{key: value for key, value in row.items() if key != "usage"}, **usage}
