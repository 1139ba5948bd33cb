"""What lies in the container of a bundle of ReproZip: one look at all its parts, which may be anything."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rtrace.bundle import tar
from rtrace.errors import HostileBundleError
from rtrace.printable import printable, shorten_path
from rtrace.reprozip.reading import container
from rtrace.reprozip.reading.byte_sources import chunks, take
from rtrace.reprozip.reading.entries import ListedMember, name_member
from rtrace.reprozip.reading.limits import most_config, most_items

if TYPE_CHECKING:
    from rtrace.reprozip.reading.byte_sources import Source
    from rtrace.reprozip.reading.container import Container, Part
    from rtrace.reprozip.reading.tar_reader import TarMember

_EXTENSIONS_LIMIT = 1000
_NAMES_ROOM = 96
"""Bytes that the names of a member have on average, at most, where there are as many as a bundle may have."""
_VERSION_LIMIT = 64


class DataListing:
    """The members of the data, noted one after the other: no more than a bundle of a size may have."""

    def __init__(self, size: int) -> None:
        self.members: list[ListedMember] = []
        self._room = most_items(size)
        self._names = self._room * _NAMES_ROOM

    def add(self, member: TarMember, source: Source) -> None:
        """Note a member, with the digest of its content."""
        named = name_member(member)
        self._room -= 1
        self._names -= len(named.path) + len(named.link)
        if self._room < 0 or self._names < 0:
            raise HostileBundleError("the bundle holds more files than any that rtrace reads")
        if member.kind == tar.REGULAR:
            digest = hashlib.sha256()
            for chunk in chunks(source, member.size):
                digest.update(chunk)
            named = named._replace(sha256=digest.hexdigest())
        self.members.append(named)


@dataclass
class BundleParts:
    """The small parts by their names, the name of the trace, whether there are data, and the names of extensions."""

    small: dict[bytes, bytes] = field(default_factory=dict)
    trace: bytes | None = None
    has_data: bool = False
    extensions: dict[str, None] = field(default_factory=dict)


def read_contents(holder: Container, size: int, listing: DataListing) -> BundleParts:
    """Look at all parts of a file of a size, and list the data of version 1 among them. Raises BundleError."""
    found = BundleParts()
    for part in holder.parts():
        if part.name in {container.VERSION, container.CONFIG}:
            if part.name in found.small:
                raise HostileBundleError(f"the bundle holds {printable(part.name)} twice")
            found.small[part.name] = _read_small(part, size)
        elif part.name in {container.TRACE, container.TRACE_GZ}:
            found.trace = found.trace or part.name
        elif part.name == container.DATA:
            found.has_data = True
        elif part.member is not None and part.name.startswith(container.DATA_FOLDER):
            listing.add(part.member, part.source)
        elif part.name.startswith(container.EXTENSIONS):
            if len(found.extensions) > _EXTENSIONS_LIMIT:
                raise HostileBundleError("the bundle holds more extensions than there are")
            found.extensions[shorten_path(part.name).split("/")[1]] = None
    return found


def _read_small(part: Part, size: int) -> bytes:
    limit = _VERSION_LIMIT if part.name == container.VERSION else most_config(size)
    if part.size > limit:
        raise HostileBundleError(f"the bundle holds {shorten_path(part.name)} with {part.size} bytes")
    return take(part.source, part.size)
