"""The page of one run: every key of its record, in chapters. A key that nobody thought of comes last, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from rtrace.pages.tables import Table
from rtrace.pages.values import Cell, make_cell
from rtrace.web.facts.tables import FEW_ROWS, FIRST_ROWS, LISTS, Linker, as_rows, list_rows, make_table

if TYPE_CHECKING:
    from rtrace.record.document import Record


@dataclass(frozen=True, slots=True)
class Block:
    """Facts with a title; ``unknown`` are the names of those that nothing is known of."""

    title: str
    facts: list[tuple[str, Cell]]
    unknown: list[str]


@dataclass(slots=True)
class Section:
    """A chapter of the page."""

    title: str
    anchor: str
    blocks: list[Block] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


CHAPTERS: dict[str, tuple[str, ...]] = {
    "Run": (
        "arguments", "workingdir", "main", "launch", "status", "exit_code", "signal", "started", "finished", "project",
        "parent", "kind", "id", "created_by", "format", "trace", "run_name", "verdict", "usage",
    ),
    "Parameters": ("parameters",),
    "Files": ("inputs", "outputs"),
    "Output": ("stdin", "stdout", "stderr"),
    "Code": ("repositories", "scripts", "executables"),
    "Packages": ("packages", "libraries"),
    "Machine": ("user", "machine", "settings", "surroundings"),
    "Environment": ("environment",),
    "Processes": ("processes", "ranks"),
    "Notices": ("notices", "redacted"),
    "Bundles": ("bundles", "kept"),
    "Notes": ("label", "reason", "outcome", "tags", "annotations"),
    "Imported": ("imported",),
}  # fmt: skip
"""The keys of a record in the order in which they are shown; settings are a list that the machine holds."""
_KNOWN = frozenset(key for keys in CHAPTERS.values() for key in keys)
_ONE_WORD = {"usage": "Cost", "stdin": "Standard input", "stdout": "Standard output", "stderr": "Standard error"}


def make_sections(record: Record, link: Linker) -> list[Section]:
    """Return the chapters of a record, those without anything known left out."""
    values = cast("Mapping[str, object]", record)
    chapters = {**CHAPTERS, "More": tuple(key for key in values if key not in _KNOWN)}
    sections = (_make_section(record, values, title, keys, link) for title, keys in chapters.items())
    return [section for section in sections if section.blocks or section.tables]


def _make_section(
    record: Record, values: Mapping[str, object], title: str, keys: tuple[str, ...], link: Linker
) -> Section:
    section = Section(title, title.lower())
    plain: dict[str, object] = {}
    for key in keys:
        value = values.get(key)
        if key in LISTS:
            if list_rows(record, key):
                section.tables.append(make_table(record, key, link, most=FEW_ROWS.get(key, FIRST_ROWS)))
        elif key == "repositories":
            for number, row in enumerate(as_rows(value)):
                section.blocks.append(_make_block(f"Repository {number}", row, link, key))
        elif isinstance(value, Mapping) and key != "imported":
            without = {name: one for name, one in value.items() if name != "settings"}
            section.blocks.append(_make_block(_name(key), without, link, key))
        else:
            plain[key] = value
    if plain:
        block = _make_block("", plain, link, "")
        if block.facts:
            section.blocks.insert(0, block)
    section.blocks = [block for block in section.blocks if block.facts]
    return section


def _make_block(title: str, values: Mapping[str, object], link: Linker, name: str) -> Block:
    cells = [(key.replace("_", " "), make_cell(key, value, link(name, 0, key, value))) for key, value in values.items()]
    known = [(key, cell) for key, cell in cells if cell is not None]
    return Block(title, known, [key for key, cell in cells if cell is None])


def _name(key: str) -> str:
    return _ONE_WORD.get(key, key.replace("_", " ").capitalize())
