"""A bundle of ReproZip with rtrace's own manifest and index in it, which are used if the rest agrees with them.

Such a bundle lacks nothing that one of rtrace has, and is proven and read in the same way: every byte of it is covered
by a digest, or is the only one that can stand there. If anything is not as rtrace writes it (somebody packed the parts
anew, or edited the configuration), it is read as any other bundle of ReproZip, and that is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle import tar
from rtrace.bundle.data.file_range import FileRange
from rtrace.bundle.data.layout import has_content
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.bundle.reading.container import Member, locate_members
from rtrace.errors import BundleError, ManifestError
from rtrace.printable import printable
from rtrace.reprozip.reading import extension
from rtrace.reprozip.reading.byte_sources import CHUNK, Decompressed
from rtrace.reprozip.reading.config import load_config
from rtrace.reprozip.reading.limits import most_items
from rtrace.reprozip.reading.reprozip_bundle import ReprozipBundle
from rtrace.reprozip.writing.config_writer import kept_environment
from rtrace.reprozip.writing.data_layout import ROOT, as_member, lay_out_data

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from rtrace.bundle.data.data_stream import DataStream
    from rtrace.bundle.entry import Entry
    from rtrace.manifest.model import Run

_SECOND_MEMBER = 2 * tar.BLOCK
"""Where the header of the second member is, after that of the first and its few bytes."""


def open_reprozip(path: Path, file: BinaryIO) -> Bundle | ReprozipBundle:
    """Open a bundle of ReproZip, by rtrace's own index if it has one. Raises BundleError."""
    file.seek(_SECOND_MEMBER)
    if file.read(tar.BLOCK).startswith(extension.MANIFEST.encode() + b"\0"):
        try:
            return ExtendedBundle(path, file)
        except BundleError as error:
            return ReprozipBundle(path, file, error)
    bundle = ReprozipBundle(path, file)
    if extension.NAME in bundle.extensions:
        bundle.extension_problem = BundleError(
            f"{path} is not as rtrace wrote it: its members were packed anew; fetch the original"
        )
    return bundle


class ExtendedBundle(Bundle):
    """An open bundle of ReproZip that rtrace wrote."""

    MANIFEST = extension.MANIFEST
    IDENTITY = extension.IDENTITY
    FILES = extension.FILES
    RESULTS = extension.RESULTS
    RECORDS = extension.RECORDS
    WRITTEN = extension.WRITTEN
    WRITTEN_DATA = extension.WRITTEN_DATA
    TRACE = extension.OWN_TRACE
    DATA = extension.DATA
    DIGESTED = extension.DIGESTED
    DIGESTED_IF_THERE = extension.DIGESTED_IF_THERE
    extensions = (extension.NAME,)

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__(path, file)
        for name in (self.FILES, self.RESULTS):
            for _ in self._verified(name):
                pass
        self._compare_runs()

    @property
    def maker(self) -> str:
        """Who wrote the bundle."""
        return f"rtrace {self.manifest.rtrace}, for ReproZip"

    def read_file(self, path: bytes) -> Iterator[bytes]:
        """Yield the content of one packed file, decompressing everything before it on the way. Raises BundleError."""
        entry = self.find(path)
        holder = entry.link if entry is not None and entry.link is not None else path
        if entry is None or not has_content(as_member(entry)):
            yield from super().read_file(path)  # which says why not
            return
        for found, content in self.stream_data():
            if found.path == holder:
                yield from content
                return

    def find_bad_frame(self) -> tuple[int, int] | None:
        """Return None: what comes after the first bad byte of gzip cannot be told from what comes before."""
        return None

    def _find_members(self) -> dict[str, Member]:
        found = locate_members(self.path, self._file, extension.MEMBERS, extension.LIMITS, extension.OPTIONAL)
        if self._reader.read(found[extension.VERSION]) != extension.VERSION_TEXT:
            raise BundleError(f"{self.path} is damaged: its {extension.VERSION} is another")
        return found

    def _lay_out(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes, int]]:
        return lay_out_data(entries)

    def _parts(self, entry: Entry, stream: DataStream) -> Iterator[bytes]:
        member = as_member(entry)
        return self._content(member, stream) if entry.link is None and has_content(member) else iter(())

    def _member_of(self, entry: Entry) -> Entry | None:
        return None if entry.path == ROOT else as_member(entry)

    def _check_size(self) -> None:
        """Do nothing: the length of the data is known, and compared, once they have been decompressed."""

    def _decompress(self) -> Generator[bytes, None, None]:
        member = self._members[self.DATA]
        source = Decompressed(FileRange(self._file, member.offset, member.size), self._size)
        if not source.is_compressed:
            raise BundleError("it is not compressed")
        while part := source.read(CHUNK):
            yield part

    def _compare_runs(self) -> None:
        """Refuse a configuration with which ReproZip would replay something other than rtrace does."""
        content = b"".join(self._verified(extension.CONFIG))
        try:
            config = load_config(content, f"{self.path}: {extension.CONFIG}", most_items(self._size))
        except ManifestError as error:
            raise BundleError(str(error)) from None
        for run, theirs in zip(self.manifest.runs, config.runs, strict=False):
            if _start_of(run) != _start_of(theirs):
                raise BundleError(f"{self.path} is damaged: {extension.CONFIG} has another run {printable_id(run)}")
        if len(self.manifest.runs) != len(config.runs):
            raise BundleError(f"{self.path} is damaged: {extension.CONFIG} has other runs than {self.MANIFEST}")


def printable_id(run: Run) -> str:
    """Return the name of a run fit for a terminal."""
    return printable(run.id.encode())


def _start_of(run: Run) -> tuple[object, ...]:
    """Return what decides how a run starts."""
    return (run.argv, run.program, run.workingdir, kept_environment(run), run.uid, run.gid)
