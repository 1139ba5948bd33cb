"""Entries compared with the layout of the data that they describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.bundle.data.layout import has_content, header_size, room, stored_size
from rtrace.bundle.reading.validation import ElsewhereValidator, validated_entries
from rtrace.errors import BundleError
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence
    from pathlib import Path

    from rtrace.bundle.entry import Entry
    from rtrace.manifest.model import Elsewhere


class LayoutProof:
    """One look at all entries: ``end`` is where the data end by them, ``holes`` the bytes of holes in their files.

    ``member_of`` says what an entry is in the data, None for one without a member there.
    """

    def __init__(self, path: Path, member_of: Callable[[Entry], Entry | None]) -> None:
        self._path = path
        self._member_of = member_of
        self.end = self.holes = 0

    def check(
        self, entries: Iterable[Entry], holders: Container[bytes], elsewhere: Sequence[Elsewhere]
    ) -> Iterator[Entry]:
        """Yield the entries, each after it was checked. Raises BundleError."""
        validator = ElsewhereValidator(elsewhere)
        end = holes = 0
        for entry in validated_entries(entries, holders):
            validator.check(entry)
            member = self._member_of(entry)
            if member is not None:
                end += header_size(member)
                if has_content(entry) and entry.offset != end:
                    raise BundleError(
                        f"{self._path} is damaged: the offset of {printable(entry.path)} does not agree with its place"
                    )
                end += room(member)
            if entry.segments is not None:
                holes += entry.size - stored_size(entry)
            yield entry
        validator.finish()
        self.end, self.holes = end, holes
