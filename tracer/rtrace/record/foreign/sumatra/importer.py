"""Sumatra: which paths are of it, where a project keeps its records, and those records."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rtrace.errors import RecordError
from rtrace.printable import printable_text
from rtrace.record.foreign.source.databases import is_database, open_tables
from rtrace.record.foreign.source.files import read_head, read_json
from rtrace.record.foreign.source.problem import Unreadable
from rtrace.record.foreign.source.values import mapping, mappings, text
from rtrace.record.foreign.sumatra.django import is_django_store, read_django
from rtrace.record.foreign.sumatra.fields import make_records
from rtrace.record.foreign.sumatra.shelved import read_shelved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.document import Record
    from rtrace.record.foreign.source.databases import Row

_FOLDER = ".smt"
_PROJECT, _RECORDS = "project", "records"
_HEAD = 4096
_EXPORTED = re.compile(rb'\s*\[\s*\{\s*"label":.*"timestamp":.*"executable":', re.DOTALL)
_ADVICE = "where Sumatra works, `smt export` writes .smt/records_export.json, which rtrace imports as well"


class Sumatra:
    """Reads a project's folder, its `.smt` folder, a store in SQLite, or what `smt export` wrote."""

    name = "Sumatra"

    def recognises(self, path: str) -> bool:
        """Whether a path is of Sumatra."""
        if _find_folder(path) is not None:
            return True
        if is_database(path):
            try:
                with open_tables(path) as tables:
                    return is_django_store(tables)
            except Unreadable:
                return False
        return _EXPORTED.match(read_head(path, _HEAD)) is not None

    def read(self, path: str) -> Iterator[Record]:
        """Yield a record for each run of a project."""
        folder = _find_folder(path)
        opened = path if folder is None else folder
        try:
            project = _read_project(folder or os.path.dirname(path))
            if folder is not None:
                opened, store, said = _read_store(folder, project)
            elif is_database(path):
                store, said = "django", _read_database(path)
            else:
                store, said = "export", mappings(read_json(path))
            yield from make_records(said, project, store)
        except (Unreadable, OSError) as problem:
            reason = printable_text(str(problem))
            raise RecordError(f"{printable_text(opened)} holds no records of Sumatra: {reason}; {_ADVICE}") from None


def _find_folder(path: str) -> str | None:
    """Return the `.smt` folder of a path that is one, or has one."""
    for folder in (path, os.path.join(path, _FOLDER)):
        if os.path.isfile(os.path.join(folder, _PROJECT)) and os.path.basename(os.path.abspath(folder)) == _FOLDER:
            return folder
    return None


def _read_project(folder: str) -> Row:
    """Return the project beside a store or an export; nothing where there is none."""
    for name in (_PROJECT, f"{_PROJECT}_export.json"):
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            try:
                return mapping(read_json(path))
            except Unreadable as problem:
                raise Unreadable(f"its file {name} cannot be read: {problem}") from None
    return {}


def _read_store(folder: str, project: Row) -> tuple[str, str, list[Row]]:
    """Return the file, the kind and the records of a project's store."""
    settings = mapping(project.get("record_store"))
    named = text(settings.get("db_file")) or text(settings.get("shelf_name")) or text(settings.get("server_url")) or ""
    if "://" in named:
        raise Unreadable(f"they are in a store at {urlsplit(named).scheme}://, which rtrace does not ask")
    inside = os.path.join(folder, _RECORDS)
    for place in (os.path.expanduser(named), inside):  # a project that was moved still names its old place
        if not os.path.isabs(place) and place is not inside:
            continue
        if is_database(place):
            with open_tables(place) as tables:
                if is_django_store(tables):
                    return place, "django", list(read_django(tables))
        said = read_shelved(place)
        if said is not None:
            return place, "shelve", said
    raise Unreadable("it has no store of records that rtrace knows")


def _read_database(path: str) -> list[Row]:
    with open_tables(path) as tables:
        return list(read_django(tables))
