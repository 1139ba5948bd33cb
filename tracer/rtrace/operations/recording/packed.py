"""The history told which bundle holds a run."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import RtraceError
from rtrace.record.history.opening import open_history

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rtrace.record.document import BundleFact, Record


def note_packed(bundle: Path, identity: str, records: Iterable[tuple[str, str]]) -> None:
    """Note a bundle with the records, by their identifiers and the names of their runs, that the history has.

    Nothing is raised: a run whose record was never there, or has been forgotten, is packed all the same.
    """
    path = os.path.realpath(bundle)
    for identifier, run in records:
        fact: BundleFact = {"path": path, "identity": f"sha256:{identity}", "run": run, "doi": None}
        try:
            open_history().replace(identifier, lambda record, fact=fact: add_bundle(record, fact))  # type: ignore[misc]
        except (RtraceError, OSError, sqlite3.Error) as error:
            debug(__name__, "the history does not note the bundle with %s: %s", identifier, error)


def add_bundle(record: Record, fact: BundleFact) -> Record:
    """Return a record with a bundle more; one that was written anew under the same name is told once."""
    others = [one for one in record["bundles"] if one["path"] != fact["path"]]
    return {**record, "bundles": [*others, fact]}
