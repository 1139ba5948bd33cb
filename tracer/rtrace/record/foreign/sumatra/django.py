"""The store that Sumatra keeps with Django, in SQLite: its tables, put together as `smt export` would."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rtrace.record.foreign.source.files import parse_json
from rtrace.record.foreign.source.literals import read_literal
from rtrace.record.foreign.source.values import mapping, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.foreign.source.databases import Row, Tables

_APP = "django_store_"
_SINGLE = {
    "executable": ("executable_id", "executable"),
    "repository": ("repository_id", "repository"),
    "launch_mode": ("launch_mode_id", "launchmode"),
    "datastore": ("datastore_id", "datastore"),
    "input_datastore": ("input_datastore_id", "datastore"),
    "parameters": ("parameters_id", "parameterset"),
}
"""What belongs to one record: the column that names it, and its table."""
_LITERALS = ("launch_mode", "datastore", "input_datastore")
_MANY = {"dependencies": "dependency", "platforms": "platforminformation", "input_data": "datakey"}
_KEYS = {"id", "db_id", "project_id", "output_from_record_id", *(column for column, _ in _SINGLE.values())}


def is_django_store(tables: Tables) -> bool:
    """Whether a database is one of Sumatra."""
    return f"{_APP}record" in tables.names()


def read_django(tables: Tables) -> Iterator[Row]:
    """Yield each record as `smt export` has it, with the project as `project`."""
    known = {name: _read_by_id(tables, name) for name in {table for _, table in _SINGLE.values()} | set(_MANY.values())}
    projects = _read_by_id(tables, "project")
    written = defaultdict(list)
    for key in known["datakey"].values():
        if key.get("output_from_record_id") is not None:
            written[key["output_from_record_id"]].append(_read_key(key))
    links = {name: _read_links(tables, name, table) for name, table in _MANY.items()}
    for row in tables.read(f"{_APP}record"):
        number = row.get("db_id")
        said = _without_keys(row)
        for name, (column, table) in _SINGLE.items():
            said[name] = _without_keys(known[table].get(row.get(column), {}))
        for name in _LITERALS:
            group = mapping(said[name])
            group["parameters"] = read_literal(words(group.get("parameters")) or "{}")
        for name, table in _MANY.items():
            found = [known[table][item] for item in links[name][number] if item in known[table]]
            said[name] = [_read_key(item) if table == "datakey" else _without_keys(item) for item in found]
        said["output_data"] = written[number]
        said["tags"] = sorted(tag for tag in words(row.get("tags")).split(",") if tag)
        said["project"] = dict(projects.get(row.get("project_id"), {}))
        yield said


def _read_by_id(tables: Tables, name: str) -> dict[object, Row]:
    return {row.get("id"): row for row in tables.read(_APP + name)}


def _read_links(tables: Tables, name: str, table: str) -> dict[object, list[object]]:
    """Return which rows of a table belong to each record."""
    links = defaultdict(list)
    for row in tables.read(f"{_APP}record_{name}"):
        links[row.get("record_id")].append(row.get(f"{table}_id"))
    return links


def _read_key(row: Row) -> Row:
    """Return a data key: its metadata are JSON in a column."""
    return {**_without_keys(row), "metadata": parse_json(words(row.get("metadata")) or "{}")}


def _without_keys(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _KEYS}
