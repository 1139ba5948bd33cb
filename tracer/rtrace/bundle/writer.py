"""Writing a bundle: whole or not at all, never over anything, and with the same bytes for the same input."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import replace
from enum import Enum
from stat import S_ISREG
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from rtrace.attributes import read_attributes
from rtrace.bundle import members, tar
from rtrace.bundle.archive import ArchiveWriter
from rtrace.bundle.attributes import choose
from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.incomplete import Incomplete
from rtrace.bundle.index import dump_entry, dump_result
from rtrace.bundle.lines import LineFile
from rtrace.bundle.sparse import HOLES_LIMIT, zeros
from rtrace.bundle.stream import entry_header, has_content
from rtrace.errors import BundleError
from rtrace.holes import find_segments
from rtrace.manifest.revision import write_again
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from pathlib import Path
    from types import TracebackType

    from rtrace.attributes import Attributes
    from rtrace.holes import Segments
    from rtrace.manifest.model import Manifest

_SMALL = 256 << 10
_COPY = 1 << 20
_PROBE = 64 << 10
"""Bytes at either end of a large file by which it is told whether it could have the content of another."""
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class Item(NamedTuple):
    """What is to be written: an entry, and the file that holds its content if it has any.

    The entry's digest and offset are found while it is written and need not be there. The file at ``source`` must have
    the entry's size, and the time ``mtime_ns``; if that is None, the entry's time at the entry's own path, and any time
    elsewhere (a snapshot). ``linked`` is False when no further hard link to it will come, which saves the memory to
    remember its digest. ``attributes`` are the extended ones; None: those that the source has now, or, of what has no
    content, the file at the entry's path. ``ctime_ns`` is when the file was last touched, None if that is not known.
    """

    entry: Entry
    source: bytes | None = None
    linked: bool = True
    mtime_ns: int | None = None
    attributes: Attributes | None = ()
    ctime_ns: int | None = None


class Written(Enum):
    """What became of an item. Nothing at all was written for the last three."""

    WHOLE = "whole"
    TOUCHED = "it was touched after the trace, and may have changed"
    CHANGED = "it changed after the trace and was packed as it is now"
    VANISHED = "it is no longer there"
    HOLLOW = "it has larger holes than a bundle may hold"
    UNREADABLE = "it cannot be read"


class BundleWriter:
    """A bundle in the making, in a folder ``NAME.incomplete-XXXX`` beside it, which is gone afterwards in any case."""

    def __init__(self, target: Path, repeated: Container[int] = frozenset()) -> None:
        """Begin; ``repeated`` are the sizes that several files have (``find_repeated``): they may have one content."""
        self._repeated = repeated
        self._holders: dict[bytes, bytes] = {}
        self._probes: set[tuple[int, bytes]] = set()
        self._holes = 0
        self.unkept: dict[str, tuple[bytes, int]] = {}
        """Extended attributes that cannot be kept, each with a file that has it and the number of all of them."""
        self._incomplete = Incomplete(target)
        self.folder = self._incomplete.folder
        self._data = (self.folder / "data").open("w+b")
        self._archive = ArchiveWriter(self._data)
        self._lines = LineFile(self.folder / "lines")
        self._digests: dict[bytes, tuple[str, int]] = {}
        self.elsewhere: dict[bytes, tuple[int, str]] = {}
        """Size and digest of the files whose content was left out."""

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()
        self._data.close()
        self._lines.close()
        self._incomplete.__exit__(kind, error, trace)

    def add(self, item: Item, *, strict: bool = False) -> Written:
        """Write an entry; the paths must come in order. Raises OSError when the disk of the bundle is full.

        With ``strict`` nothing is written of a file that is not what its entry says, or may not be.
        """
        entry = item.entry
        if has_content(entry) or entry.elsewhere:
            return self._add_content(item, strict=strict)
        entry = self._with_attributes(entry, item.attributes, entry.path)
        self._archive.write(entry_header(entry))
        sha256, size = self._digests[entry.link] if entry.link is not None else (None, entry.size)
        self._lines.write(dump_entry(entry, size, sha256, None))
        return Written.WHOLE

    def finish(
        self,
        manifest: Manifest,
        results: Iterable[Result],
        trace_database: Path,
        *,
        earlier: str | None = None,
        inspect: Callable[[Path], None] | None = None,
    ) -> str:
        """Put the bundle together, give it its name, and tell its identity. Raises BundleError when the name is taken.

        The manifest is written with the digests of the other members, and with a person's own comments in an earlier
        text of it. ``inspect`` sees the whole file before it has its name, and raises what keeps it from it.
        """
        self._archive.write(tar.END)
        files = self._lines.compress()  # while the last frames of the data are compressed
        digests = {members.DATA: self._archive.finish()}
        with closing(LineFile(self.folder / "results")) as lines:
            for result in results:
                lines.write(dump_result(result))
            outcomes = lines.compress()
        digests[members.FILES] = hashlib.sha256(files).hexdigest()
        digests[members.RESULTS] = hashlib.sha256(outcomes).hexdigest()
        with trace_database.open("rb") as trace:
            digests[members.TRACE] = digest_file(trace)
            text = write_again(replace(manifest, digests=dict(sorted(digests.items()))), earlier).encode()
            identity = hashlib.sha256(text).hexdigest()
            whole = self.folder / "bundle"
            with whole.open("xb") as bundle:
                write_member(bundle, members.VERSION, members.VERSION_TEXT)
                write_member(bundle, members.MANIFEST, text)
                write_member(bundle, members.IDENTITY, (members.IDENTITY_TEXT % identity).encode())
                write_member(bundle, members.FILES, files)
                write_member(bundle, members.RESULTS, outcomes)
                copy_member(bundle, members.TRACE, trace)
                copy_member(bundle, members.DATA, self._data)
                bundle.write(tar.END)
        if inspect is not None:
            inspect(whole)
        self._incomplete.give_name(whole)
        return identity

    def _with_attributes(self, entry: Entry, attributes: Attributes | None, file: bytes | int) -> Entry:
        if attributes is None:
            if entry.type is FileType.SYMLINK:
                return entry
            attributes, lost = read_attributes(file)
            for name in lost:
                first, number = self.unkept.get(name, (entry.path, 0))
                self.unkept[name] = (first, number + 1)
        chosen = choose(entry, attributes) if attributes else ()
        return replace(entry, xattrs=chosen) if chosen else entry

    def _add_content(self, item: Item, *, strict: bool) -> Written:
        entry, linked = item.entry, item.linked
        source = item.source or entry.path
        mtime_ns = entry.mtime_ns if item.mtime_ns is None and source == entry.path else item.mtime_ns
        try:
            descriptor = os.open(source, _OPEN_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return Written.VANISHED
        except OSError:
            return Written.UNREADABLE
        try:
            state = os.fstat(descriptor)
            if not S_ISREG(state.st_mode):
                return Written.VANISHED
            size = state.st_size
            whole = size == entry.size and (mtime_ns is None or mtime_ns == state.st_mtime_ns)
            touched = item.ctime_ns is not None and item.ctime_ns != state.st_ctime_ns
            if strict and (touched or not whole):
                return Written.TOUCHED if whole else Written.CHANGED
            if item.attributes != ():
                entry = self._with_attributes(entry, item.attributes, descriptor)
            if entry.elsewhere:
                written = self._add_elsewhere(entry, descriptor, linked=linked)
                return written if whole or written is Written.UNREADABLE else Written.CHANGED
            segments = find_segments(descriptor, state)
            if segments is not None:
                self._holes += size - sum(length for _, length in segments)
                if self._holes > HOLES_LIMIT:
                    return Written.HOLLOW
            if size <= _SMALL and segments is None:
                written = self._add_small(entry, descriptor, size, linked=linked)
            elif size in self._repeated and self._add_again(entry, descriptor, size, segments, linked=linked):
                written = Written.WHOLE
            else:
                written = self._add_large(entry, descriptor, size, segments, linked=linked)
            if written is not Written.WHOLE:
                return written if whole or written is Written.UNREADABLE else Written.CHANGED
            return Written.CHANGED if not whole else Written.TOUCHED if touched else Written.WHOLE
        finally:
            os.close(descriptor)

    def _add_small(self, entry: Entry, descriptor: int, expected: int, *, linked: bool) -> Written:
        try:
            content = os.read(descriptor, expected + 1)
            if len(content) > expected:  # it grows: as much of it as there is now
                content += os.read(descriptor, _SMALL)
        except OSError:
            return Written.UNREADABLE
        size = len(content)
        written = Written.WHOLE
        if size != entry.size:
            entry, written = replace(entry, size=size), Written.CHANGED
        digest = hashlib.sha256(content).digest()
        if size in self._repeated and digest in self._holders:
            self._add_copy(entry, digest, linked=linked)
            return written
        header = entry_header(entry)
        offset = self._archive.position + len(header)
        self._archive.write(b"%b%b%b" % (header, content, tar.padding(size)))
        self._note(entry, digest, offset, linked=linked)
        return written

    def _add_elsewhere(self, entry: Entry, descriptor: int, *, linked: bool) -> Written:
        """Note size and digest of a file, and leave its content out."""
        digest = hashlib.sha256()
        size = 0
        try:
            while content := os.read(descriptor, _COPY):
                digest.update(content)
                size += len(content)
        except OSError:
            return Written.UNREADABLE
        seen = replace(entry, size=size)
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
        seen = replace(entry, size=size, segments=segments)
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
            space = self._archive.space()[: min(left, _COPY)]
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
        self._add_copy(replace(entry, size=size), digest, linked=linked)
        return True

    def _add_copy(self, entry: Entry, digest: bytes, *, linked: bool) -> None:
        """Write a file whose content is in the bundle already."""
        copy = replace(entry, copy_of=self._holders[digest])
        self._archive.write(entry_header(copy))
        self._note(copy, digest, None, linked=linked)

    def _note(self, entry: Entry, digest: bytes, offset: int | None, *, linked: bool) -> None:
        """Put an entry, whose size is that of what was found, into the index."""
        size, sha256 = entry.size, digest.hex()
        self._lines.write(dump_entry(entry, size, sha256, offset))
        if linked:
            self._digests[entry.path] = (sha256, size)
        if offset is not None and size in self._repeated:
            self._holders[digest] = entry.path


def find_repeated(items: Iterable[Item]) -> frozenset[int]:
    """Give the sizes that the contents of several items have; empty ones take no room anyway."""
    sizes = Counter(item.entry.size for item in items if item.source is not None)
    return frozenset(size for size, number in sizes.items() if number > 1 and size)


def write_bundle(
    target: Path,
    manifest: Manifest,
    items: Iterable[Item],
    results: Iterable[Result],
    trace_database: Path,
    *,
    progress: Progress = SILENT,
) -> str:
    """Write a bundle of which every content can be had; give its identity.

    Raises BundleError when the target exists, or when a source is not what its entry says.
    """
    every = tuple(items)
    progress.start("writing", len(every))
    with BundleWriter(target, find_repeated(every)) as writer:
        for item in every:
            written = writer.add(item)
            if written is not Written.WHOLE:
                raise BundleError(f"cannot pack {printable(item.entry.path)}: {written.value}")
            progress.advance(1)
        identity = writer.finish(manifest, results, trace_database)
    progress.finish()
    return identity


def _member_header(name: str, size: int) -> bytes:
    return tar.header(name.encode(), tar.REGULAR, size)


def write_member(bundle: BinaryIO, name: str, content: bytes) -> None:
    """Write a member of the outer tar."""
    bundle.write(_member_header(name, len(content)) + content + tar.padding(len(content)))


def copy_member(bundle: BinaryIO, name: str, source: BinaryIO) -> None:
    """Write a member of the outer tar that is all of a file."""
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    bundle.write(_member_header(name, size))
    shutil.copyfileobj(source, bundle, _COPY)
    bundle.write(tar.padding(size))


def digest_content(descriptor: int, size: int, segments: Segments | None) -> bytes:
    """Give the SHA-256 of an open file; of a sparse one, only the parts that hold data are read. Raises OSError."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_COPY))

    def read(start: int, end: int) -> None:
        while start < end and (length := os.preadv(descriptor, [buffer[: end - start]], start)):
            digest.update(buffer[:length])
            start += length

    end = 0
    for start, length in ((0, size),) if segments is None else segments:
        for hole in zeros(start - end):
            digest.update(hole)
        end = start + length
        read(start, end)
    for hole in zeros(size - end):
        digest.update(hole)
    return digest.digest()


def digest_file(file: BinaryIO) -> str:
    """Give the SHA-256 of what is left of a file."""
    digest = hashlib.sha256()
    while chunk := file.read(_COPY):
        digest.update(chunk)
    return digest.hexdigest()
