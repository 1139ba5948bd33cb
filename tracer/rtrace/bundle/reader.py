"""Reading a bundle, which is hostile until proven otherwise: nothing in it is believed before it was checked."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle import members, tar
from rtrace.bundle.archive import ArchiveReader, decompress_frame, frame_size, table_size
from rtrace.bundle.container import Member, find_members
from rtrace.bundle.index import load_entries, load_results
from rtrace.bundle.sparse import fill_holes
from rtrace.bundle.stream import has_content, lay_out, stored_size
from rtrace.bundle.validation import validate_elsewhere, validate_entries, validate_results
from rtrace.errors import BundleError, DamagedBundleError, HostileBundleError, ManifestError
from rtrace.manifest.load import load
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path
    from types import TracebackType

    from rtrace.bundle.entry import Entry, Result
    from rtrace.manifest.model import Manifest

_COPY = 1 << 20
_FEW = 16
"""Bytes of the identity that differ where it, and not the manifest, is damaged."""


def open_bundle(path: Path) -> Bundle:
    """Open a bundle and check that it is one, whole, and of a format that this rtrace reads. Raises BundleError."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BundleError(f"cannot open {path}: {error.strerror}") from None
    try:
        return Bundle(path, file)
    except BaseException:
        file.close()
        raise


class Bundle:
    """An open bundle. ``entries``, ``results`` and the data are read and checked when they are asked for.

    The names are those of the members that hold each thing, which another container may call otherwise.
    """

    MANIFEST = members.MANIFEST
    IDENTITY = members.IDENTITY
    FILES = members.FILES
    RESULTS = members.RESULTS
    TRACE = members.TRACE
    DATA = members.DATA
    DIGESTED: tuple[str, ...] = members.DIGESTED
    keeps_digests = True
    has_trace = True
    extensions: tuple[str, ...] = ()

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._end_of_data = 0
        self._members = self._find_members()
        text = self._read(self._members[self.MANIFEST])
        self.identity = hashlib.sha256(text).hexdigest()
        self._check_identity()
        try:
            self.manifest: Manifest = load(text, f"{path}: {self.MANIFEST}")
        except ManifestError as error:
            raise BundleError(str(error)) from None
        missing = [name for name in self.DIGESTED if name not in self.manifest.digests]
        if missing:
            raise BundleError(f"{path}: the manifest lacks the digest of {missing[0]}; the bundle is damaged")

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def maker(self) -> str:
        """Who wrote the bundle."""
        return f"rtrace {self.manifest.rtrace}"

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every packed file, sorted by path, and proven harmless: HostileBundleError where one is not."""
        entries = self._listed
        self._check_offsets(entries)
        return entries

    @cached_property
    def _listed(self) -> tuple[Entry, ...]:
        """The entries, before they are compared with the data."""
        try:
            entries = load_entries(self._read_index(self.FILES))
            validate_entries(entries)
            validate_elsewhere(entries, self.manifest.elsewhere)
        except HostileBundleError as error:
            raise HostileBundleError(f"{self.path} is refused: {error}; nothing was written") from None
        except BundleError as error:
            raise self._damaged(self.FILES, error) from None
        return entries

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """What the runs left behind, sorted by run and path."""
        try:
            results = load_results(self._read_index(self.RESULTS))
            validate_results(results, (run.id for run in self.manifest.runs))
        except HostileBundleError as error:
            raise HostileBundleError(f"{self.path} is refused: {error}; nothing was written") from None
        except BundleError as error:
            raise self._damaged(self.RESULTS, error) from None
        return results

    @cached_property
    def _archive(self) -> ArchiveReader:
        member = self._members[self.DATA]
        try:
            return ArchiveReader(self._file, member.offset, member.size)
        except BundleError as error:
            raise self._damaged(self.DATA, error) from None

    def check(self) -> None:
        """Read all of the bundle and compare every digest. Raises BundleError naming what does not agree."""
        for name in self.DIGESTED:
            for _ in self._verified(name):
                pass
        _ = self.results
        for entry, content in self.stream_data():
            if entry.copy_of is None:
                for _ in content:
                    pass

    def find(self, path: bytes) -> Entry | None:
        """Give the entry at a path."""
        entries = self.entries
        place = bisect_left(entries, path, key=lambda entry: entry.path)
        return entries[place] if place < len(entries) and entries[place].path == path else None

    def read_file(self, path: bytes) -> Iterator[bytes]:
        """Give the content of one packed file, reading no more of the bundle than that takes. Raises BundleError.

        The digest is known to be right when the last part has been taken without an error.
        """
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
        digest = hashlib.sha256()
        try:
            parts = self._archive.read(entry.offset or 0, stored_size(entry))
            if entry.segments is not None:
                parts = fill_holes(entry.segments, entry.size, parts)
            for part in parts:
                digest.update(part)
                yield part
        except BundleError as error:
            raise self._damaged(self.DATA, error) from None
        self._compare(entry, digest.hexdigest())

    def stream_data(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Give every entry in the order of the bundle, each with the parts of its content.

        There are no parts but for regular files that are neither placeholders nor further hard links (and not for empty
        ones). A file's digest is known to be right when its last part has been taken without an error; what the
        caller does not take of a file is skipped. No part of a sparse file has both of data and of holes in it. The
        content of a copy is read again where it is; who has many of them to write had better copy what was written
        first (``copy_of``). Raises BundleError.
        """
        entries = self.entries
        stream = DataStream(self._decompress())
        try:
            for entry, header, offset in self._lay_out(entries):
                stream.skip_to(offset)
                if stream.take(len(header)) != header:
                    raise BundleError(f"the tar header of {printable(entry.path)} does not agree with the index")
                yield entry, self._parts(entry, stream)
            stream.skip_to(self._end_of_data)
            if stream.take(len(tar.END)) != tar.END or not stream.is_at_end():
                raise BundleError("it does not end as a tar does")
        except BundleError as error:
            if isinstance(error, _ContentError):
                raise
            raise self._damaged(self.DATA, error) from None
        finally:
            stream.close()

    def extract_trace(self, destination: Path) -> None:
        """Write the trace database to a new file. Raises BundleError; then there is no file."""
        try:
            with destination.open("xb") as copy:
                for part in self._verified(self.TRACE):
                    copy.write(part)
        except FileExistsError:
            raise BundleError(f"{destination} exists already; remove it or name another file") from None
        except BundleError:
            destination.unlink()
            raise
        except OSError as error:
            raise BundleError(f"cannot write {destination}: {error.strerror}") from None

    def _parts(self, entry: Entry, stream: DataStream) -> Iterator[bytes]:
        """Give the content of an entry whose member comes next in the data."""
        if has_content(entry):
            return self._content(entry, stream)
        return iter(()) if entry.copy_of is None else self.read_file(entry.path)

    def _content(self, entry: Entry, stream: DataStream) -> Iterator[bytes]:
        digest = hashlib.sha256()
        left = entry.size
        parts = stream.take_parts(stored_size(entry))
        for part in parts if entry.segments is None else fill_holes(entry.segments, entry.size, parts):
            digest.update(part)
            left -= len(part)
            if not left:
                self._compare(entry, digest.hexdigest())
            yield part
        if not entry.size:
            self._compare(entry, digest.hexdigest())

    def _compare(self, entry: Entry, sha256: str) -> None:
        if sha256 != entry.sha256:
            raise _ContentError(
                f"{self.path} is damaged: the content of {printable(entry.path)} is not what was packed"
            )

    def _check_offsets(self, entries: tuple[Entry, ...]) -> None:
        """Refuse offsets that are not where the entries' own layout puts the contents."""
        end = 0
        last = None
        for last, header, offset in self._lay_out(entries):
            end = offset + len(header)
            if has_content(last) and last.offset != end:
                raise BundleError(
                    f"{self.path} is damaged: the offset of {printable(last.path)} does not agree with its place"
                )
        self._end_of_data = end + (0 if last is None else self._room(last))
        self._check_size(self._end_of_data + len(tar.END))

    def _size_of_data(self, entries: tuple[Entry, ...]) -> int:
        """Tell how long the data stream is that belongs to the entries."""
        last, header, offset = deque(self._lay_out(entries), maxlen=1).pop() if entries else (None, b"", 0)
        return offset + len(header) + (0 if last is None else self._room(last)) + len(tar.END)

    def _check_size(self, size: int) -> None:
        """Refuse data of another size than the entries' layout gives."""
        if size != self._archive.size:
            raise BundleError(f"{self.path} is damaged: {self.DATA} is not as long as the index says")

    def _find_members(self) -> dict[str, Member]:
        """Find the members of the file. Raises BundleError."""
        return find_members(self.path, self._file)

    def _lay_out(self, entries: tuple[Entry, ...]) -> Iterator[tuple[Entry, bytes, int]]:
        """Give the entries that have a member in the data, each with its header and where that is."""
        return lay_out(entries)

    def _room(self, entry: Entry) -> int:
        """Tell what the content of an entry takes in the data, filled up to whole blocks."""
        size = stored_size(entry) if has_content(entry) else 0
        return size + len(tar.padding(size))

    def _decompress(self) -> Generator[bytes, None, None]:
        """Give the data stream from its beginning on."""
        return self._archive.frames()

    def _check_identity(self) -> None:
        """Refuse a manifest that is not the one that was packed. The first bundles do not say which that is."""
        member = self._members.get(self.IDENTITY)
        if member is None:
            return
        found, expected = self._read(member), (members.IDENTITY_TEXT % self.identity).encode()
        differing = [place for place, (byte, wanted) in enumerate(zip(found, expected, strict=False)) if byte != wanted]
        if found == expected:
            return
        if len(differing) <= _FEW and len(found) == len(expected):  # of another manifest almost every digit would be
            first, last = member.offset + differing[0], member.offset + differing[-1]
            raise DamagedBundleError(
                f"{self.path} is damaged: {self.IDENTITY} is not what was packed; fetch it again", first, last
            )
        manifest = self._members[self.MANIFEST]
        raise DamagedBundleError(
            f"{self.path} is damaged: its manifest is not the one that was packed; fetch it again",
            manifest.offset,
            manifest.offset + manifest.size - 1,
        )

    def find_member(self, name: str) -> Member:
        """Tell where a member lies in the file."""
        return self._members[name]

    def find_bad_frame(self) -> tuple[int, int] | None:
        """Give first and last byte, in the file, of the first frame of the data that cannot be decompressed.

        It is that of the seek table, when this is not the one that the index asks for. None when all is as it should
        be: then what is wrong is not the data, but what is said of it.
        """
        member = self._members[self.DATA]
        size = self._size_of_data(self._listed)
        try:
            is_as_long = self._archive.size == size
        except BundleError:
            is_as_long = False
        if not is_as_long:
            return (member.offset + member.size - table_size(size), member.offset + member.size - 1)
        found = self._archive.find_bad_frame()
        return None if found is None else (member.offset + found[0], member.offset + found[1] - 1)

    def _read(self, member: Member) -> bytes:
        self._file.seek(member.offset)
        content = self._file.read(member.size)
        if len(content) != member.size:
            raise BundleError(f"{self.path} is cut off; fetch it again")
        return content

    def _read_index(self, name: str) -> bytes:
        compressed = b"".join(self._verified(name))
        size = frame_size(compressed)
        if size > members.INDEX_LIMIT:
            raise BundleError(f"it would be {size} bytes long when decompressed")
        return decompress_frame(compressed, size)

    def _verified(self, name: str) -> Iterator[bytes]:
        """Give the parts of a member; raises BundleError at the end when they are not what the manifest says."""
        member = self._members[name]
        digest = hashlib.sha256()
        position, end = member.offset, member.offset + member.size
        while position < end:
            self._file.seek(position)
            part = self._file.read(min(_COPY, end - position))
            if not part:
                raise BundleError(f"{self.path} is cut off; fetch it again")
            position += len(part)
            digest.update(part)
            yield part
        if digest.hexdigest() != self.manifest.digests[name]:
            raise DamagedBundleError(
                f"{self.path} is damaged: {name} is not what was packed; fetch it again", member.offset, end - 1
            )

    def _damaged(self, name: str, error: BundleError) -> BundleError:
        message = str(error)
        if message.startswith(f"{self.path} "):
            return error
        return BundleError(f"{self.path} is damaged: {name}: {message}")


class _ContentError(BundleError):
    """A file whose content is not what was packed; the sentence is complete."""


class DataStream:
    """The data stream from its beginning on, as it comes out of the frames."""

    def __init__(self, frames: Generator[bytes, None, None]) -> None:
        self._frames = frames
        self._frame = b""
        self._start = 0
        self._used = 0

    def close(self) -> None:
        """End the threads that decompress."""
        self._frames.close()

    @property
    def position(self) -> int:
        """The offset of what comes next."""
        return self._start + self._used

    def skip_to(self, offset: int) -> None:
        """Leave out what is before an offset."""
        while offset > self._start + len(self._frame):
            self._next_frame()
        self._used = offset - self._start

    def take_some(self, most: int) -> bytes:
        """Take what is at hand, at least a byte and no more than ``most``."""
        if self._used == len(self._frame):
            self._next_frame()
        start = self._used
        part = self._frame[start : start + most]
        self._used = start + len(part)
        return part

    def take_parts(self, length: int) -> Iterator[bytes]:
        """Take exactly so many bytes, part by part."""
        while length:
            part = self.take_some(length)
            length -= len(part)
            yield part

    def take(self, length: int) -> bytes:
        """Take exactly so many bytes."""
        start = self._used
        end = start + length
        if end <= len(self._frame):
            self._used = end
            return self._frame[start:end]
        return b"".join(self.take_parts(length))

    def is_at_end(self) -> bool:
        """Tell whether nothing follows."""
        return self._used == len(self._frame) and not next(self._frames, b"")

    def _next_frame(self) -> None:
        self._start += len(self._frame)
        self._used = 0
        self._frame = next(self._frames, b"")
        if not self._frame:
            raise BundleError("it ends too early")
