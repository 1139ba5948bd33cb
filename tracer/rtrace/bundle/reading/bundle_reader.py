"""Reading a bundle, which is hostile until proven otherwise: nothing in it is believed before it was checked."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle import members, tar
from rtrace.bundle.data.archive import ArchiveReader
from rtrace.bundle.data.data_stream import ContentError, DataStream, prove_content
from rtrace.bundle.data.layout import has_content, lay_out, stored_size
from rtrace.bundle.data.sparse import HASHED_HOLES, fill_holes
from rtrace.bundle.index.lines import NAMING_OTHERS, iterate_entries, iterate_results, load_entries, load_results
from rtrace.bundle.limits import ENTRIES_LIMIT, check_data_size
from rtrace.bundle.reading.bad_frame import find_bad_frame
from rtrace.bundle.reading.container import Member, find_members
from rtrace.bundle.reading.found_by_path import FoundByPath
from rtrace.bundle.reading.layout_proof import LayoutProof
from rtrace.bundle.reading.member_reader import SMALL_INDEX, MemberReader
from rtrace.bundle.reading.proven import Proof, ProvenEntries, note_proof, recall_proof
from rtrace.bundle.reading.validation import find_holders, validated_results
from rtrace.bundle.written.reading import WrittenReader
from rtrace.errors import BundleError, HostileBundleError, ManifestError
from rtrace.manifest.reading.load import load_once
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterable, Iterator
    from pathlib import Path

    from rtrace.bundle.entry import Entry, Result
    from rtrace.bundle.written_content import WrittenContent
    from rtrace.manifest.model import Manifest


class Bundle(FoundByPath):
    """An open bundle. ``entries``, ``results`` and the data are read and checked when they are asked for.

    The names are those of the members that hold each thing, which another container may call otherwise.
    """

    MANIFEST = members.MANIFEST
    IDENTITY = members.IDENTITY
    FILES = members.FILES
    RESULTS = members.RESULTS
    RECORDS = members.RECORDS
    WRITTEN = members.WRITTEN
    WRITTEN_DATA = members.WRITTEN_DATA
    TRACE = members.TRACE
    DATA = members.DATA
    DIGESTED: tuple[str, ...] = members.DIGESTED
    DIGESTED_IF_THERE: tuple[str, ...] = members.DIGESTED_IF_THERE
    keeps_digests = True
    has_trace = True
    extensions: tuple[str, ...] = ()

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._reader = MemberReader(path, file)
        self._end_of_data = self._holes = 0
        self._data_is_proven = False
        self._size = file.seek(0, os.SEEK_END)
        self._members = self._find_members()
        text = self._reader.read(self._members[self.MANIFEST])
        self.identity = hashlib.sha256(text).hexdigest()
        if self.IDENTITY in self._members:  # the first bundles do not say it
            identity, manifest = self._members[self.IDENTITY], self._members[self.MANIFEST]
            self._reader.check_identity(self.IDENTITY, identity, manifest, self.identity)
        try:
            self.manifest: Manifest = load_once(text, f"{path}: {self.MANIFEST}")
        except ManifestError as error:
            raise BundleError(str(error)) from None
        missing = [name for name in self._digested if name not in self.manifest.digests]
        if missing:
            raise BundleError(f"{path}: the manifest lacks the digest of {missing[0]}; the bundle is damaged")
        for name in self.DIGESTED_IF_THERE:
            if name in self.manifest.digests and name not in self._members:
                raise BundleError(f"{path} is damaged: {name} is missing; fetch it again")

    @property
    def _digested(self) -> tuple[str, ...]:
        """The members whose digest the manifest has."""
        return (*self.DIGESTED, *(name for name in self.DIGESTED_IF_THERE if name in self._members))

    @property
    def maker(self) -> str:
        """Who wrote the bundle."""
        return f"rtrace {self.manifest.rtrace}"

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every packed file, sorted by path, and proven harmless: HostileBundleError where one is not."""
        return self._proof.entries

    @cached_property
    def _proof(self) -> Proof:
        """What is proven of the entries, now or by an earlier opening of the same bundle."""
        known = recall_proof(type(self), self.identity)
        if known is not None:
            check_data_size(known.end, self._size)
            self._end_of_data, self._holes = known.end, known.holes
        elif self._is_small(self.FILES):
            known = note_proof(type(self), self.identity, ProvenEntries(self._listed), self._end_of_data, self._holes)
        else:  # what is refused has never been in memory at once
            self._prove_entries()
            self._check_size()
            entries = ProvenEntries(self._prove_while_read())  # again, as the file may be another one by now
            known = note_proof(type(self), self.identity, entries, self._end_of_data, self._holes)
        self._check_size()
        return known

    def iterate_entries(self) -> Iterator[Entry]:
        """Yield every packed file as ``entries`` does, all of them proven; of many, none stays in memory."""
        is_known = "_proof" in self.__dict__ or recall_proof(type(self), self.identity) is not None
        if is_known or self._is_small(self.FILES):
            return iter(self.entries)
        self._prove_entries()
        self._check_size()
        return self._stream_entries()

    @cached_property
    def _listed(self) -> tuple[Entry, ...]:
        """The entries of a small index, before they are compared with the data."""
        with self._judging(self.FILES):
            entries = load_entries(self._read_index(self.FILES))
            for _ in self._proven(entries, find_holders(entries)):
                pass
            return entries

    def _prove_entries(self) -> None:
        """Look at every entry without keeping any."""
        if not self._end_of_data:
            for _ in self._prove_while_read():
                pass

    def _prove_while_read(self) -> Iterator[Entry]:
        with self._judging(self.FILES):
            holders = find_holders(iterate_entries(self._read_index(self.FILES), only=NAMING_OTHERS))
            yield from self._proven(iterate_entries(self._read_index(self.FILES)), holders)

    def _stream_entries(self) -> Iterator[Entry]:
        with self._judging(self.FILES):
            yield from iterate_entries(self._read_index(self.FILES))

    def _proven(self, entries: Iterable[Entry], holders: Container[bytes]) -> Iterator[Entry]:
        """Yield the entries, each after it was checked; at their end it is known how long the data have to be."""
        proof = LayoutProof(self.path, self._member_of)
        yield from proof.check(entries, holders, self.manifest.elsewhere)
        check_data_size(proof.end, self._size)
        self._end_of_data, self._holes = proof.end, proof.holes

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """What the runs left behind, sorted by run and path."""
        if not self._is_small(self.RESULTS):
            self.check_results()
        with self._judging(self.RESULTS):
            results = load_results(self._read_index(self.RESULTS))
            for _ in validated_results(results, (run.id for run in self.manifest.runs)):
                pass
            return results

    def check_results(self) -> None:
        """Look at every result without keeping any. Raises BundleError as ``results`` does."""
        with self._judging(self.RESULTS):
            for _ in validated_results(
                iterate_results(self._read_index(self.RESULTS)), (run.id for run in self.manifest.runs)
            ):
                pass

    @contextmanager
    def _judging(self, name: str) -> Iterator[None]:
        """Complete the sentences of errors in a member that is an index."""
        try:
            yield
        except HostileBundleError as error:
            raise HostileBundleError(f"{self.path} is refused: {error}; nothing was written") from None
        except BundleError as error:
            raise self._damaged(name, error) from None

    def _is_small(self, name: str) -> bool:
        with self._judging(name):
            return self._reader.size_of_index(self._members[name]) <= SMALL_INDEX

    @cached_property
    def _archive(self) -> ArchiveReader:
        member = self._members[self.DATA]
        try:
            return ArchiveReader(self._file, member.offset, member.size)
        except BundleError as error:
            raise self._damaged(self.DATA, error) from None

    def check(self, progress: Progress = SILENT) -> None:
        """Read all of the bundle and compare every digest. Raises BundleError naming what does not agree."""
        try:
            is_small = self._is_small(self.FILES)
        except BundleError:
            self._compare_digests()  # which tell where the damage is
            raise
        if is_small:
            _ = self._listed  # which is wanted once more
        else:
            self._prove_entries()
        self._compare_digests()
        self.check_results()
        self.read_records()
        with self._judging(self.WRITTEN_DATA):
            self._written.check()
        if progress is not SILENT:  # a further look at the index, for whoever watches
            progress.start("checking", sum(one.size for one in self.iterate_entries() if one.offset is not None))
        for entry, content in self.stream_data():
            if entry.copy_of is None:
                for part in content:
                    progress.advance(len(part))
        progress.finish()

    def _compare_digests(self) -> None:
        """Read all members that have a digest. Raises BundleError."""
        for name in self._digested:
            for _ in self._verified(name):
                pass

    def read_file(self, path: bytes) -> Iterator[bytes]:
        """Yield the content of one packed file, reading no more of the bundle than that takes. Raises BundleError.

        The digest is known to be right when the last part has been taken without an error.
        """
        entry = self.find_content(path)
        try:
            yield from self._prove(entry, self._archive.read(entry.offset or 0, stored_size(entry)))
        except BundleError as error:
            raise self._damaged(self.DATA, error) from None

    def stream_data(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Yield every entry in the order of the bundle, each with the parts of its content.

        Only regular files that are neither empty, placeholders nor further hard links have parts. A file's digest is
        known to be right when its last part has been taken without an error; what the caller does not take of a file is
        skipped. No part of a sparse file mixes data and holes. The content of a copy is read again where it is: to
        write many of them, copy what was written first (``copy_of``). Raises BundleError.
        """
        entries = self.iterate_entries()
        stream = DataStream(self._decompress())
        try:
            for entry, header, offset in self._lay_out(entries):
                stream.skip_to(offset)
                if stream.take(len(header)) != header:
                    raise BundleError(f"the tar header of {printable(entry.path)} does not agree with the index")
                yield entry, self._name_damage(self._parts(entry, stream))
            stream.skip_to(self._end_of_data)
            if stream.take(len(tar.END)) != tar.END or not stream.is_at_end():
                raise BundleError("it does not end as a tar does")
        except BundleError as error:
            raise self._damaged(self.DATA, error) from None
        finally:
            stream.close()

    def _name_damage(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """Yield parts; an error says in which bundle the damage is, whoever takes them."""
        try:
            yield from parts
        except BundleError as error:
            raise self._damaged(self.DATA, error) from None

    def extract_trace(self, destination: Path) -> None:
        """Write the trace database to a new file. Raises BundleError; then there is no file."""
        self._reader.extract(self.TRACE, self._members[self.TRACE], self.manifest.digests[self.TRACE], destination)

    def read_records(self) -> list[bytes]:
        """Return the records of the runs, a JSON document each, whatever is in it; none where the bundle has none.

        Raises BundleError.
        """
        if self.RECORDS not in self._members:
            return []
        member, sha256 = self._members[self.RECORDS], self.manifest.digests[self.RECORDS]
        with self._judging(self.RECORDS):
            return self._reader.read_lines(self.RECORDS, member, sha256, members.RECORDS_LIMIT, members.RECORDS_MOST)

    @cached_property
    def _written(self) -> WrittenReader:
        archive = None
        member = self._members.get(self.WRITTEN_DATA)
        with self._judging(self.WRITTEN_DATA):
            if member is not None:
                archive = ArchiveReader(self._file, member.offset, member.size)
        with self._judging(self.WRITTEN):
            lines: list[bytes] = []
            if self.WRITTEN in self._members:
                member, sha256 = self._members[self.WRITTEN], self.manifest.digests[self.WRITTEN]
                lines = self._reader.read_lines(self.WRITTEN, member, sha256, members.WRITTEN_LIMIT, ENTRIES_LIMIT)
            return WrittenReader(lines, archive, self._size)

    def find_written(self, sha256: str) -> WrittenContent | None:
        """Return what the bundle knows of a content that a run wrote; None where it knows its digest alone."""
        return self._written.contents.get(sha256)

    def read_written(self, content: WrittenContent) -> Iterator[bytes]:
        """Yield the parts of a content that a run wrote, proven when the last one was taken. Raises BundleError."""
        with self._judging(self.WRITTEN_DATA):
            yield from self._written.read(content)

    def _parts(self, entry: Entry, stream: DataStream) -> Iterator[bytes]:
        """Yield the content of an entry whose member comes next in the data."""
        if has_content(entry):
            return self._content(entry, stream)
        return iter(()) if entry.copy_of is None else self.read_file(entry.path)

    def _content(self, entry: Entry, stream: DataStream) -> Iterator[bytes]:
        return self._prove(entry, stream.take_parts(stored_size(entry)))

    def _prove(self, entry: Entry, parts: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the content of an entry from the parts that are stored, and prove it.

        The zeros of holes take time. Where a bundle has more of them than can be hashed, the content of its sparse
        files is proven by the digest of all its data, which does not have the holes in it.
        """
        if entry.segments is None or self._holes <= HASHED_HOLES:
            return prove_content(self.path, entry, parts)
        self._prove_data()
        return fill_holes(entry.segments, entry.size, parts)

    def _prove_data(self) -> None:
        """Compare the digest of all data, once."""
        if not self._data_is_proven:
            for _ in self._verified(self.DATA):
                pass
            self._data_is_proven = True

    def _check_size(self) -> None:
        """Refuse data whose size differs from the entries' layout."""
        if self._end_of_data + len(tar.END) != self._archive.size:
            raise BundleError(f"{self.path} is damaged: {self.DATA} is not as long as the index says")

    def _find_members(self) -> dict[str, Member]:
        """Find the members of the file. Raises BundleError."""
        return find_members(self.path, self._file)

    def _lay_out(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes, int]]:
        """Yield the entries that have a member in the data, each with its header and where that is."""
        return lay_out(entries)

    def _member_of(self, entry: Entry) -> Entry | None:
        """Return what an entry is in the data; None for one without a member there."""
        return entry

    def _decompress(self) -> Generator[bytes, None, None]:
        """Yield the data from their beginning on."""
        return self._archive.frames()

    def find_member(self, name: str) -> Member:
        """Return where a member lies in the file."""
        return self._members[name]

    def find_bad_frame(self) -> tuple[int, int] | None:
        """Return first and last byte, in the file, of the first frame of the data that cannot be decompressed.

        None when all are as they should be.
        """
        self._prove_entries()
        try:
            archive = self._archive
        except BundleError:
            archive = None
        return find_bad_frame(archive, self._members[self.DATA], self._end_of_data + len(tar.END))

    def _read_index(self, name: str) -> Iterator[bytes]:
        return self._reader.read_index(name, self._members[name], self.manifest.digests[name])

    def _verified(self, name: str) -> Iterator[bytes]:
        """Yield the parts of a member; raises BundleError at the end when they are not what the manifest says."""
        return self._reader.read_proven(name, self._members[name], self.manifest.digests[name])

    def _damaged(self, name: str, error: BundleError) -> BundleError:
        message = str(error)
        if isinstance(error, ContentError) or message.startswith(f"{self.path} "):
            return error
        return BundleError(f"{self.path} is damaged: {name}: {message}")
