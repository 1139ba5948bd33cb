"""What bundles of all formats have in common: a file that is closed when they are left, and entries found by path."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle.data.layout import has_content
from rtrace.errors import BundleError
from rtrace.printable import printable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import TypeVar

    from rtrace.bundle.entry import Entry

    Opened = TypeVar("Opened", bound="FoundByPath")


class FoundByPath:
    """An open file with entries, which are sorted by path."""

    path: Path
    _file: BinaryIO

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every packed file."""
        raise NotImplementedError

    def __enter__(self: Opened) -> Opened:  # noqa: PYI019 -- typing.Self is Python 3.11's
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def find(self, path: bytes) -> Entry | None:
        """Return the entry at a path; None where there is none."""
        entries = self.entries
        place = bisect_left(entries, path, key=lambda entry: entry.path)
        return entries[place] if place < len(entries) and entries[place].path == path else None

    def find_content(self, path: bytes) -> Entry:
        """Return the entry that holds the content of a path: its own, or that of another name. Raises BundleError."""
        entry = self.find(path)
        if entry is not None and entry.link is not None:
            entry = self.find(entry.link)
        if entry is not None and entry.copy_of is not None:
            entry = self.find(entry.copy_of)
        if entry is None:
            raise BundleError(f"{self.path} holds no {printable(path)}; `rtrace list` shows what it holds")
        if not has_content(entry):
            what = "only the size" if entry.placeholder else "only size and digest" if entry.elsewhere else "no content"
            raise BundleError(f"{self.path} holds {what} of {printable(path)}, a {entry.type.value}")
        return entry
