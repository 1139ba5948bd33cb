"""Masking secrets in files on their way into a bundle: an x for each byte, so that the file keeps its size."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rtrace.files.reading import open_content, read_parts
from rtrace.files.xattrs import read_attributes
from rtrace.privacy.file_search import SecretSearch, find_places
from rtrace.privacy.searching.encoding import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.privacy.redaction import Redactor
    from rtrace.privacy.searching.encoding import Encoding

_MASK = bytes(byte if byte in b"\r\n" else ord("x") for byte in range(256))


@dataclass(frozen=True, slots=True)
class Masking:
    """What is masked in files: by path, the numbers of the rules in a `SecretSearch` for ``values``."""

    rules: Mapping[bytes, frozenset[int]] = field(default_factory=dict)
    values: tuple[bytes, ...] = field(default=(), repr=False)


class Masker:
    """Carries out a masking."""

    def __init__(self, masking: Masking, redactor: Redactor) -> None:
        self._masking = masking
        self._redactor = redactor
        self._search = SecretSearch(masking.values)

    def mask(self, item: Item, folder: Path) -> Item:
        """Return an item; if it has secrets, with a masked copy in a folder for its content."""
        if self._redactor.has_values:
            item = self._without_secret_attributes(item)
        numbers = self._masking.rules.get(item.entry.path)
        if numbers is None or item.source is None:
            return item
        encoding, places = find_places(item.source, frozenset(self._search.rules[number] for number in numbers))
        copy = os.path.join(os.fsencode(folder), b"masked")
        try:
            with open(item.source, "rb", opener=open_content) as source:
                state = os.fstat(source.fileno())
                with open(copy, "wb") as target:
                    target.writelines(_mask_parts(read_parts(source.fileno()), places, encoding))
        except OSError:
            return item  # it is gone or cannot be read, which writing it reports
        os.utime(copy, ns=(state.st_mtime_ns, state.st_mtime_ns))
        mtime_ns = item.entry.mtime_ns if item.mtime_ns is None and item.source == item.entry.path else item.mtime_ns
        touched = item.ctime_ns if item.ctime_ns != state.st_ctime_ns else None  # the copy has another one in any case
        attributes = read_attributes(item.source)[0] if item.attributes is None else item.attributes
        return item._replace(source=copy, mtime_ns=mtime_ns, ctime_ns=touched, attributes=attributes)

    def mask_text(self, text: bytes) -> bytes:
        """Return a text with everything in it masked that looks like a secret."""
        found = self._search.find_in_text(text)
        return b"".join(_mask_parts([text], sorted((begin, end) for _, begin, end, _ in found), PLAIN))

    def _without_secret_attributes(self, item: Item) -> Item:
        """Return an item without the extended attributes that hold secret values."""
        attributes = item.attributes
        if attributes is None:
            attributes = read_attributes(item.entry.path if item.source is None else item.source)[0]
        kept = tuple(one for one in attributes if not any(map(self._redactor.find_known, one)))
        return item if kept == attributes else item._replace(attributes=kept)


def _mask_parts(parts: Iterable[bytes], places: Sequence[tuple[int, int]], encoding: Encoding) -> Iterator[bytes]:
    """Yield the parts of a content with the bytes at these places, which are in order, masked."""
    offset = index = 0
    for part in parts:
        text = bytearray(part)
        for begin, end in places[index:]:
            if begin >= offset + len(text):
                break
            start, stop = max(begin - offset, 0), max(min(end - offset, len(text)), 0)
            text[start:stop] = _mask(text[start:stop], offset + start, encoding)
        offset += len(text)
        while index < len(places) and places[index][1] <= offset:
            index += 1
        yield bytes(text)


def _mask(text: bytearray, offset: int, encoding: Encoding) -> bytes:
    """Return as many bytes that show nothing of a text but its line ends."""
    if encoding.width == 1:
        return bytes(text.translate(_MASK))
    places = range((encoding.place - offset) % encoding.width, len(text), encoding.width)
    masked = bytearray(len(text))
    for at in places:
        masked[at] = _MASK[text[at]]
    return bytes(masked)
