"""Two copies of one record that went separate ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from rtrace.record.changing.annotating import merge_annotations

if TYPE_CHECKING:
    from rtrace.record.document import FileFact, Record

T = TypeVar("T")


def merge_records(mine: Record, theirs: Record) -> Record:
    """Return a record with what was added to either copy: annotations, bundles, kept files, stamps of figures.

    The run itself never changes after it was recorded, so all else is taken from the first. Both ways round the same
    is added, in one order.
    """
    merged = merge_annotations(mine, theirs["annotations"])
    merged["bundles"] = _join(mine["bundles"], theirs["bundles"])
    merged["kept"] = _join(mine["kept"], theirs["kept"])
    stamps = {file["path"]: file["stamped"] for file in theirs["outputs"] if file["stamped"]}
    if stamps:
        merged["outputs"] = [_add_stamps(file, stamps.get(file["path"], [])) for file in mine["outputs"]]
    return merged


def _join(mine: list[T], theirs: list[T]) -> list[T]:
    if all(one in mine for one in theirs):
        return mine
    both = [*mine, *(one for one in theirs if one not in mine)]
    return sorted(both, key=str)


def _add_stamps(file: FileFact, stamps: Iterable[str]) -> FileFact:
    added = file.copy()
    added["stamped"] = sorted({*file["stamped"], *stamps})
    return added
