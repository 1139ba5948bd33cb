"""A table of a page: what `parts.html` shows by its macro `table`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtrace.pages.values import Cell


@dataclass(frozen=True, slots=True)
class Table:
    """A part of a list: ``first`` is the number of rows before its first one, ``total`` that of all rows."""

    name: str
    title: str
    columns: list[str]
    rows: list[list[Cell | None]]
    first: int
    total: int
