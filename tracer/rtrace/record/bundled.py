"""The records that travel in a bundle, which anybody may have written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import RecordError
from rtrace.record.reading import read_record

if TYPE_CHECKING:
    from rtrace.bundle.protocol import OpenBundle
    from rtrace.record.document import Record


def read_bundled(bundle: OpenBundle) -> dict[str, Record]:
    """Return the records of a bundle's runs by the runs' names; what is no record, or a newer one, is passed over.

    Raises BundleError where they are not what was packed.
    """
    found: dict[str, Record] = {}
    for number, document in enumerate(bundle.read_records(), 1):
        try:
            record = read_record(document, f"{bundle.path}: record {number}")
        except RecordError as error:
            debug(__name__, "%s", error)
            continue
        if record["run_name"] is not None:
            found.setdefault(record["run_name"], record)
    return found


def read_bundle(path: Path) -> Iterator[Record]:
    """Yield the records that travel in a bundle. Raises RtraceError when it is none."""
    from rtrace.opening import open_bundle

    with open_bundle(path) as bundle:
        documents = bundle.read_records()
    if not documents:
        raise RecordError(f"{path} is a bundle without records; it was packed before there were any")
    for number, document in enumerate(documents, 1):
        yield read_record(document, f"record {number} of {path}")
