"""The contents of files on their way into the data stream: each is read once, and stored once."""

from __future__ import annotations

import hashlib
import os
from stat import S_ISREG
from typing import TYPE_CHECKING

from rtrace.bundle import tar
from rtrace.bundle.data.layout import content_header, entry_header
from rtrace.bundle.data.sparse import HOLES_LIMIT, zeros
from rtrace.bundle.index.dumping import dump_entry, dump_ordinary
from rtrace.bundle.writing.digests import digest_content
from rtrace.bundle.writing.item import Item, Written, compare_state
from rtrace.files.holes import LEAST_HOLE, find_segments
from rtrace.files.reading import open_content, read_parts

if TYPE_CHECKING:
    from collections.abc import Container

    from rtrace.bundle.data.archive import ArchiveWriter
    from rtrace.bundle.entry import Entry
    from rtrace.bundle.index.buffer import LineFile
    from rtrace.bundle.writing.attribute_keeper import AttributeKeeper
    from rtrace.files.holes import Segments

_TINY = 16 << 10
_SMALL = 256 << 10
_STEP = 1 << 20
_PROBE = 64 << 10
"""Bytes at either end of a large file by which it is told whether it could have the content of another."""


class ContentWriter:
    """Writes the regular files of a bundle into its data stream and its index.

    ``digests`` are digest and size of those that further hard links will come for; ``elsewhere`` size and digest of
    those whose content was left out.
    """

    def __init__(
        self, archive: ArchiveWriter, lines: LineFile, keeper: AttributeKeeper, repeated: Container[int]
    ) -> None:
        """Begin; ``repeated`` are the sizes that several files have: they may have one content."""
        self.digests: dict[bytes, tuple[str, int]] = {}
        self.elsewhere: dict[bytes, tuple[int, str]] = {}
        self._archive = archive
        self._lines = lines
        self._keeper = keeper
        self._repeated = repeated
        self._holders: dict[bytes, bytes] = {}
        self._probes: set[tuple[int, bytes]] = set()
        self._holes = 0

    def add(self, item: Item, *, strict: bool) -> Written:
        """Write a file; with ``strict`` only one that is surely what its entry says."""
        entry, source, linked, attributes = item.entry, item.source, item.linked, item.attributes
        try:
            descriptor = open_content(entry.path if source is None else source)
        except (FileNotFoundError, NotADirectoryError):
            return Written.VANISHED
        except OSError:
            return Written.UNREADABLE
        try:
            state = os.fstat(descriptor)
            if not S_ISREG(state.st_mode):
                return Written.VANISHED
            status = compare_state(item, state)
            if strict and status is not Written.WHOLE:
                return status
            if attributes != ():
                entry = self._keeper.put(entry, attributes, descriptor)
            if state.st_size < LEAST_HOLE and not entry.elsewhere:
                written = self._add_small(entry, descriptor, state.st_size, linked=linked)
            else:
                written = self._add_open(entry, descriptor, state, linked=linked)
            return status if written is Written.WHOLE else written
        finally:
            os.close(descriptor)

    def _add_open(self, entry: Entry, descriptor: int, state: os.stat_result, *, linked: bool) -> Written:
        """Write an open file, as large as it was seen to be."""
        size = state.st_size
        if entry.elsewhere:
            return self._add_elsewhere(entry, descriptor, linked=linked)
        segments = find_segments(descriptor, state)
        if segments is None and size <= _SMALL:
            return self._add_small(entry, descriptor, size, linked=linked)
        if segments is not None:
            self._holes += size - sum(length for _, length in segments)
            if self._holes > HOLES_LIMIT:
                return Written.HOLLOW
        if size in self._repeated and self._add_again(entry, descriptor, size, segments, linked=linked):
            return Written.WHOLE
        return self._add_large(entry, descriptor, size, segments, linked=linked)

    def _add_small(self, entry: Entry, descriptor: int, expected: int, *, linked: bool) -> Written:
        """Write a file without holes, as much as there is of it.

        It is read to where it belongs in the data stream if that is within one frame, and it is worth it.
        """
        header = content_header(entry)
        start = len(header)
        content: bytes | memoryview
        in_place = False
        try:
            if expected > _TINY:
                space = self._archive.space()
                in_place = expected <= len(space) - start - tar.BLOCK
            if in_place:
                content = space[start : start + expected + 1]
                content = content[: os.readv(descriptor, [content])]
            else:
                content = os.read(descriptor, expected + 1)
            if len(content) > expected:  # it grows: as much of it as there is now
                content = bytes(content) + os.read(descriptor, _SMALL)
                in_place = False
        except OSError:
            return Written.UNREADABLE
        size = len(content)
        written = Written.WHOLE
        if size != entry.size:
            entry, written = entry._replace(size=size), Written.CHANGED
            header = content_header(entry)
        digest = hashlib.sha256(content).digest()
        if size in self._repeated and digest in self._holders:
            self._add_copy(entry, digest, linked=linked)
            return written
        offset = self._archive.position + start
        padding = tar.padding(size)
        if in_place:
            end = start + size
            space[:start] = header
            space[end : end + len(padding)] = padding
            self._archive.fill(end + len(padding))
        else:
            self._archive.write(b"".join((header, content, padding)))
        self._note(entry, digest, offset, linked=linked)
        return written

    def _add_elsewhere(self, entry: Entry, descriptor: int, *, linked: bool) -> Written:
        """Note size and digest of a file, and leave its content out."""
        digest = hashlib.sha256()
        size = 0
        try:
            for content in read_parts(descriptor):
                digest.update(content)
                size += len(content)
        except OSError:
            return Written.UNREADABLE
        seen = entry._replace(size=size)
        self._archive.write(entry_header(seen))
        self._note(seen, digest.digest(), None, linked=linked)
        self.elsewhere[entry.path] = (size, digest.hexdigest())
        return Written.WHOLE if size == entry.size else Written.CHANGED

    def _add_large(
        self, entry: Entry, descriptor: int, size: int, segments: Segments | None, *, linked: bool
    ) -> Written:
        """Stream a file of the size that was just seen; one that shrinks meanwhile is filled up with zeros."""
        try:
            os.pread(descriptor, 1, 0)
        except OSError:
            return Written.UNREADABLE
        seen = entry._replace(size=size, segments=segments)
        self._archive.write(entry_header(seen))
        offset = self._archive.position
        digest = hashlib.sha256()
        end = 0
        whole = True
        for start, length in ((0, size),) if segments is None else segments:
            for hole in zeros(start - end):
                digest.update(hole)
            whole &= self._add_part(descriptor, start, length, digest)
            end = start + length
        for hole in zeros(size - end):
            digest.update(hole)
        self._archive.write(tar.padding(self._archive.position - offset))
        self._note(seen, digest.digest(), offset, linked=linked)
        return Written.WHOLE if whole and size == entry.size else Written.CHANGED

    def _add_part(self, descriptor: int, start: int, left: int, digest: hashlib._Hash) -> bool:
        """Stream a part of a file; tell whether it was all there."""
        whole = True
        while left:
            space = self._archive.space()[: min(left, _STEP)]
            try:
                length = os.preadv(descriptor, [space], start)
            except OSError:
                length = 0
            if not length:
                whole = False
                length = len(space)
                space[:] = bytes(length)
            digest.update(space[:length])
            self._archive.fill(length)
            start += length
            left -= length
        return whole

    def _add_again(self, entry: Entry, descriptor: int, size: int, segments: Segments | None, *, linked: bool) -> bool:
        """Write a large file as a copy if it is one; only one that begins and ends as another did is read for that."""
        try:
            ends = os.pread(descriptor, _PROBE, 0) + os.pread(descriptor, _PROBE, max(0, size - _PROBE))
            probe = (size, hashlib.sha256(ends).digest())
            if probe not in self._probes:
                self._probes.add(probe)
                return False
            digest = digest_content(descriptor, size, segments)
        except OSError:
            return False
        if digest not in self._holders:
            return False
        self._add_copy(entry._replace(size=size), digest, linked=linked)
        return True

    def _add_copy(self, entry: Entry, digest: bytes, *, linked: bool) -> None:
        """Write a file whose content is in the bundle already."""
        copy = entry._replace(copy_of=self._holders[digest])
        self._archive.write(entry_header(copy))
        self._note(copy, digest, None, linked=linked)

    def _note(self, entry: Entry, digest: bytes, offset: int | None, *, linked: bool) -> None:
        """Put an entry, of the size that was found, into the index."""
        size, sha256 = entry.size, digest.hex()
        ordinary = offset is not None and entry.segments is None and not entry.xattrs
        dump = dump_ordinary if ordinary else dump_entry
        self._lines.write(dump(entry, size, sha256, offset))
        if linked:
            self.digests[entry.path] = (sha256, size)
        if offset is not None and size in self._repeated:
            self._holders[digest] = entry.path
