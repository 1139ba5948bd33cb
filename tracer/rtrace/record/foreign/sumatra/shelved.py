"""The store that Sumatra keeps with `shelve`: a pickled dictionary of records for each project, in a dbm file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.record.foreign.shelves.berkeley import is_berkeley, read_berkeley
from rtrace.record.foreign.shelves.dumb import read_dumb
from rtrace.record.foreign.shelves.gdbm import is_gdbm, read_gdbm
from rtrace.record.foreign.source.databases import is_database, open_tables
from rtrace.record.foreign.source.files import read_head, read_plain
from rtrace.record.foreign.source.pickles import Node, read_pickle
from rtrace.record.foreign.source.plain import Plain
from rtrace.record.foreign.source.problem import Unreadable
from rtrace.record.foreign.source.values import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.foreign.source.databases import Row

_HEAD = 4096
_RECORD = "sumatra.records.Record"
_MODES = ("launch_mode", "datastore", "input_datastore")
_LISTED = ("input_data", "output_data", "dependencies", "platforms")
_SETTINGS = ("_values", "_sections", "_defaults", "source_file", "comments", "types", "pairs")
"""What of a set of parameters says something; the rest is the parser that read it."""


def read_shelved(place: str) -> list[Row] | None:
    """Return the records in a shelf, which may be any of Python's; None when there is no shelf at a place."""
    items = _open_shelf(place)
    if items is None:
        return None
    plain = Plain()
    return [
        said for key, value in items for said in _read_project(value, plain, key.decode("utf-8", "surrogateescape"))
    ]


def _open_shelf(place: str) -> list[tuple[bytes, bytes]] | None:
    """Return keys and values of a shelf: the name is that of the file, or of the files without their endings."""
    if os.path.lexists(f"{place}.dat") and os.path.lexists(f"{place}.dir"):
        return list(read_dumb(read_plain(f"{place}.dir"), read_plain(f"{place}.dat")))
    for path in (place, f"{place}.db", f"{place}.pag", f"{place}.shelf"):
        head = read_head(path, _HEAD)
        if is_gdbm(head):
            return list(read_gdbm(read_plain(path)))
        if is_berkeley(head):
            return list(read_berkeley(read_plain(path)))
        if is_database(path):
            return list(_read_sqlite(path))
        if head:
            raise Unreadable(f"{os.path.basename(path)} is a kind of shelf that rtrace does not know")
    return None


def _read_sqlite(path: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a shelf of `dbm.sqlite3`, of Python 3.13."""
    with open_tables(path) as tables:
        if "Dict" not in tables.names():
            raise Unreadable("it is a database of something else")
        for key, value in tables.read_raw("Dict", ("key", "value")):
            if isinstance(key, bytes) and isinstance(value, bytes):
                yield key, value


def _read_project(data: bytes, plain: Plain, project: str) -> Iterator[Row]:
    """Yield the records of a project as `smt export` has them, with the project as `project`."""
    records = read_pickle(data)
    if not isinstance(records, dict):
        raise Unreadable("its pickle is no dictionary of records")
    for label, record in records.items():
        if not isinstance(record, Node) or record.name != _RECORD or not isinstance(record.state, dict):
            raise Unreadable("its pickle holds what is no record of Sumatra")
        said = mapping(plain.convert({**record.state, "parameters": _trim(record.state.get("parameters"))}))
        for name in ("executable", "repository"):
            said[name] = _describe(said.get(name), keep_type=name == "repository")
        for name in _MODES:
            found = _describe(said.get(name), keep_type=True)
            said[name] = {"type": found.pop("type", None), "parameters": found}
        for name in _LISTED:
            items = said.get(name)
            said[name] = [_describe_item(name, item) for item in items] if isinstance(items, list) else []
        tags = said.get("tags")
        said["tags"] = sorted(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else []
        yield {**said, "label": said.get("label") or label, "project": {"id": project}}


def _trim(value: object) -> object:
    """Return a set of parameters without its parser, which holds itself."""
    if not isinstance(value, Node):
        return {"type": "dict", "values": value}
    state = dict(value.state) if isinstance(value.state, dict) else {}
    if value.pairs:
        state["pairs"] = {str(key): item for key, item in value.pairs}
    kept = {name.lstrip("_") if name != "pairs" else "values": state[name] for name in _SETTINGS if name in state}
    return {"type": value.name.rpartition(".")[2], **kept}


def _describe(value: object, *, keep_type: bool) -> Row:
    """Return an object's attributes; its class is named without its module, as Sumatra's own export does."""
    found = dict(mapping(value))
    called = found.pop("type", None)
    if keep_type and isinstance(called, str):
        found["type"] = called.rpartition(".")[2]
    return found


def _describe_item(name: str, value: object) -> Row:
    found = dict(mapping(value))
    called = found.pop("type", None)
    if name == "dependencies" and isinstance(called, str):
        found.setdefault("module", called.split(".")[-2] if "." in called else called)
    return found
