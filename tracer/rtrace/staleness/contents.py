"""The digests of what the runs found: of the record of a run, or of a bundle's entries."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from rtrace.path_text import to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rtrace.bundle.entry import Entry
    from rtrace.record.document import Record
    from rtrace.staleness.model import State


class KnownContents:
    """Looks a digest up; records and entries are read when the first one is wanted.

    ``names`` are the runs' names by number. ``read_records`` gives the records by these names, ``read_entries`` the
    files of a bundle.
    """

    def __init__(
        self,
        names: Mapping[int, str],
        read_records: Callable[[], Mapping[str, Record]],
        read_entries: Callable[[], Iterable[Entry]],
    ) -> None:
        self._names = names
        self._read_records = read_records
        self._read_entries = read_entries

    @cached_property
    def _records(self) -> dict[str, dict[bytes, tuple[int | None, str]]]:
        return {name: dict(_list_digests(record)) for name, record in self._read_records().items()}

    @cached_property
    def _entries(self) -> dict[bytes, tuple[int, int, str]]:
        return {
            entry.path: (entry.size, entry.mtime_ns, entry.sha256)
            for entry in self._read_entries()
            if entry.sha256 is not None and not entry.placeholder
        }

    def find_digest(self, run: int, path: bytes, found: State) -> str | None:
        """Return the SHA-256 of what a run found at a path; None where nobody knows it."""
        size, digest = self._records.get(self._names.get(run, ""), {}).get(path, (None, None))
        if digest is not None and size in {None, found.size}:
            return digest
        entry = self._entries.get(path)
        return entry[2] if entry is not None and entry[:2] == (found.size, found.mtime_ns) else None


def _list_digests(record: Record) -> Iterable[tuple[bytes, tuple[int | None, str]]]:
    """Yield the files that a record has digests of, as the run found them."""
    for facts in (record["executables"], record["scripts"], record["inputs"]):
        for fact in facts:
            if fact["sha256"] is not None:
                yield to_bytes(fact["path"]), (fact["size"], fact["sha256"])
