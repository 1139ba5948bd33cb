"""noWorkflow: which paths are of it, and its trials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.errors import RecordError
from rtrace.printable import printable_text
from rtrace.record.foreign.noworkflow.fields import make_record
from rtrace.record.foreign.noworkflow.trials import read_trials
from rtrace.record.foreign.source.contents import Contents
from rtrace.record.foreign.source.databases import is_database, open_tables
from rtrace.record.foreign.source.problem import Unreadable
from rtrace.record.foreign.source.secrets import withhold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.document import Record

_FOLDER, _DATABASE = ".noworkflow", "db.sqlite"
_TABLES = {"trial", "environment_attr", "file_access"}


class NoWorkflow:
    """Reads a folder that holds `.noworkflow`, that folder, or its database."""

    name = "noWorkflow"

    def recognises(self, path: str) -> bool:
        """Whether a path is of noWorkflow."""
        database = _find_database(path)
        if database is None or not is_database(database):
            return False
        try:
            with open_tables(database) as tables:
                return tables.names() >= _TABLES
        except Unreadable:
            return os.path.isdir(path)

    def read(self, path: str) -> Iterator[Record]:
        """Yield a record for each trial."""
        database = _find_database(path) or path
        contents = Contents("noWorkflow")
        try:
            with open_tables(database) as tables:
                for trial in read_trials(tables, database):
                    yield withhold(make_record(trial, os.path.dirname(database), contents))
        except (Unreadable, OSError) as problem:
            shown, reason = printable_text(database), printable_text(str(problem))
            raise RecordError(
                f"{shown} is no database of noWorkflow: {reason}; give the folder that holds it"
            ) from None


def _find_database(path: str) -> str | None:
    places = (os.path.join(path, _FOLDER, _DATABASE), os.path.join(path, _DATABASE))
    return next(filter(os.path.isfile, places), None) if os.path.isdir(path) else path
