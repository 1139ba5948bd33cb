"""A bundle of ReproZip, open: the same questions and answers as `rtrace.bundle.reading.bundle_reader.Bundle` has.

ReproZip keeps no list of its files beside them, so they are listed by decompressing all data once; digests are computed
on the way, and the second time, when files are unpacked, each must be the same. No more than a chunk is in memory.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from rtrace import __version__
from rtrace.bundle import tar
from rtrace.bundle.data.layout import has_content
from rtrace.bundle.entry import Entry, Result
from rtrace.bundle.reading.found_by_path import FoundByPath
from rtrace.bundle.reading.validation import path_problem, validate_results
from rtrace.errors import BundleError, HostileBundleError, ManifestError
from rtrace.files.workspaces import temporary
from rtrace.manifest.model import Manifest, Notice
from rtrace.printable import format_size, printable
from rtrace.progress import SILENT, Progress
from rtrace.reprozip.reading import container
from rtrace.reprozip.reading.byte_sources import CHUNK, Decompressed, chunks
from rtrace.reprozip.reading.config import Config, load_config
from rtrace.reprozip.reading.contents import DataListing, read_contents
from rtrace.reprozip.reading.entries import FileTree, build_tree
from rtrace.reprozip.reading.limits import most_items, most_trace
from rtrace.reprozip.reading.packages import list_packages
from rtrace.reprozip.reading.shortcomings import list_shortcomings
from rtrace.reprozip.reading.tar_reader import TarReader
from rtrace.reprozip.reading.trace_database import TracedUses, read_database
from rtrace.reprozip.reading.uses import add_exit, add_reasons, find_results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rtrace.bundle.written_content import WrittenContent
    from rtrace.reprozip.reading.byte_sources import Source
    from rtrace.reprozip.reading.tar_reader import TarMember

VERSIONS = (1, 2)


class ReprozipBundle(FoundByPath):
    """An open bundle of ReproZip. Files, results and the manifest are worked out when they are asked for."""

    keeps_digests = False

    def __init__(self, path: Path, file: BinaryIO, extension_problem: BundleError | None = None) -> None:
        self.path = path
        self._file = file
        self.extension_problem = extension_problem
        """Why what rtrace itself added to the bundle is not used; None where there is nothing of it."""
        self._size = file.seek(0, os.SEEK_END)
        self._listing = DataListing(self._size)
        try:
            self._container = container.open_container(file)
            found = read_contents(self._container, self._size, self._listing)
        except BundleError as error:
            raise self._explain(error) from None
        self._trace = found.trace
        self.extensions = tuple(found.extensions)
        self.version = self._read_version(found.small.get(container.VERSION))
        if container.CONFIG not in found.small:
            raise BundleError(f"{path} is damaged: it has no {container.CONFIG.decode()}")
        if self.version > 1 and not found.has_data:
            raise BundleError(f"{path} is damaged: it has no {container.DATA.decode()}")
        self._has_list = self.version == 1
        if not self._has_list:
            self._listing.members = []
        name = f"{path}: {container.CONFIG.decode()}"
        try:
            self._config: Config = load_config(found.small[container.CONFIG], name, most_items(self._size))
        except ManifestError as error:
            raise BundleError(str(error)) from None

    @property
    def has_trace(self) -> bool:
        """Whether there is a trace database in the bundle; that it can be read is another matter."""
        return self._trace is not None

    @property
    def maker(self) -> str:
        """Who wrote the bundle, and in which versions of its formats."""
        program = self._config.generator.replace("reprozip", "ReproZip") or "ReproZip"
        return f"{program} (bundle version {self.version}, configuration {self._config.version})"

    @cached_property
    def identity(self) -> str:
        """The SHA-256 of the file: ReproZip gives a bundle no digest that covers all of it."""
        digest = hashlib.sha256()
        self._file.seek(0)
        while part := self._file.read(CHUNK):
            digest.update(part)
        return digest.hexdigest()

    @cached_property
    def manifest(self) -> Manifest:
        """What rtrace's own manifest would say, with a notice for everything that ReproZip does not."""
        traced, problem = self._traced
        runs = tuple(add_exit(run, number, traced) for number, run in enumerate(self._config.runs))
        config = replace(self._config, runs=runs)
        try:
            notices = list_shortcomings(config, self._tree, traced, problem)
        except HostileBundleError as error:
            raise self._explain(error) from None
        return Manifest(
            rtrace=__version__,
            runs=runs,
            inputs=config.inputs,
            outputs=config.outputs,
            packages=list_packages(self._config, self._tree.entries),
            notices=(*self._notice_extension(), *notices),
        )

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every packed file, sorted by path, and proven harmless: HostileBundleError where one is not."""
        traced, _ = self._traced
        if traced is None:
            return self._tree.entries
        return add_reasons(self._tree.entries, traced, self._place)

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """Where the runs wrote, sorted by run and path: vague ones, since what they wrote is not recorded."""
        traced, _ = self._traced
        results = find_results(self._config, traced, self._place)
        validate_results(results, (run.id for run in self._config.runs))
        return results

    def iterate_entries(self) -> Iterator[Entry]:
        """Yield every packed file."""
        return iter(self.entries)

    def check_results(self) -> None:
        """Do nothing: the results of ReproZip's bundles are derived from their other parts."""

    def check(self, progress: Progress = SILENT) -> None:
        """Read all of the bundle, with every checksum of its compressors; there are no others. Raises BundleError."""
        if self.extension_problem is not None:
            raise self.extension_problem
        _ = self.results, self.manifest
        progress.start("checking", sum(entry.size for entry in self.entries))
        for _entry, content in self.stream_data():
            for part in content:
                progress.advance(len(part))
        progress.finish()

    def read_file(self, path: bytes) -> Iterator[bytes]:
        """Yield the content of one packed file, decompressing everything before it on the way. Raises BundleError."""
        entry = self.find_content(path)
        for found, content in self.stream_data():
            if found.path == entry.path:
                yield from content
                return

    def stream_data(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Yield every file with content in the order of the data, each with the parts of its content.

        What the caller does not take of a file is skipped. Raises BundleError, also when a content is another than
        when the files were listed.
        """
        by_path = {entry.path: entry for entry in self.entries if has_content(entry)}
        try:
            for member, source in self._data():
                path = self._tree.contents.get(member.offset) if member.kind == tar.REGULAR else None
                if path is not None:
                    yield by_path[path], self._content(by_path[path], source)
        except BundleError as error:
            raise self._explain(error) from None

    def read_records(self) -> list[bytes]:
        """Return nothing: ReproZip keeps no records."""
        return []

    def find_written(self, sha256: str) -> WrittenContent | None:  # noqa: ARG002 -- the protocol's signature
        """Return None: ReproZip keeps nothing of what runs wrote."""
        return None

    def read_written(self, content: WrittenContent) -> Iterator[bytes]:
        """Raise BundleError: there is none."""
        raise BundleError(f"{self.path} does not hold the content {content.sha256}: ReproZip keeps none")

    def extract_trace(self, destination: Path) -> None:
        """Write the trace database to a new file. Raises BundleError; then there is no file."""
        try:
            with destination.open("xb") as copy:
                for part in self._trace_parts():
                    copy.write(part)
        except FileExistsError:
            raise BundleError(f"{destination} exists already; remove it or name another file") from None
        except BundleError as error:
            destination.unlink()
            raise self._explain(error) from None
        except OSError as error:
            raise BundleError(f"cannot write {destination}: {error.strerror}") from None

    @cached_property
    def _tree(self) -> FileTree:
        try:
            if not self._has_list:
                for member, source in self._data():
                    self._listing.add(member, source)
                self._has_list = True
            packages = {path: package.name for package in self._config.packages for path in package.files}
            workingdirs = {
                run.workingdir: (run.uid, run.gid) for run in self._config.runs if not path_problem(run.workingdir)
            }
            return build_tree(self._listing.members, packages, workingdirs)
        except BundleError as error:
            raise self._explain(error) from None
        finally:
            self._listing.members = []

    @cached_property
    def _traced(self) -> tuple[TracedUses | None, str | None]:
        """What the trace database says, or why it says nothing."""
        if self._trace is None:
            return None, "the bundle has none"
        with temporary("reprozip") as folder:
            place = folder / "trace.sqlite3"
            try:
                self.extract_trace(place)
                return read_database(place, len(self._config.runs)), None
            except (sqlite3.Error, OverflowError, ValueError) as error:  # ValueError: names that are not UTF-8
                return None, printable(str(error).encode("utf-8", "backslashreplace"))
            except BundleError as error:
                return None, str(error).removeprefix(f"{self.path} ")

    def _trace_parts(self) -> Iterator[bytes]:
        for part in self._container.parts():
            if part.name == self._trace:
                source: Source = (
                    Decompressed(part.source, self._size) if part.name == container.TRACE_GZ else part.source
                )
                size = 0
                most = most_trace(self._size)
                if part.size <= most:
                    while size <= most and (content := source.read(CHUNK)):
                        size += len(content)
                        yield content
                if max(part.size, size) > most:
                    raise HostileBundleError(f"the bundle holds a trace of more than {format_size(most)}")
                return
        raise BundleError(f"{self.path} holds no trace")

    def _notice_extension(self) -> Iterator[Notice]:
        if self.extension_problem is not None:
            what = str(self.extension_problem).removeprefix(f"{self.path} ")
            yield Notice(
                "extension-ignored",
                f"rtrace wrote this bundle, and somebody has changed it since: it {what}",
                "it is read as any other bundle of ReproZip; fetch the original to have all that rtrace knew",
            )

    def _place(self, path: bytes) -> bytes | None:
        """Return where a path of the trace lies in the bundle; None for one that can lie nowhere."""
        try:
            return None if path_problem(path) else self._tree.resolver.resolve(path)
        except HostileBundleError:
            return None

    def _data(self) -> Iterator[tuple[TarMember, Source]]:
        """Yield the members of the data, each with what its content is read from."""
        seen = False
        for part in self._container.parts():
            if self.version == 1 and part.member is not None and part.name.startswith(container.DATA_FOLDER):
                yield part.member, part.source
            elif self.version > 1 and part.name == container.DATA:
                if seen:
                    raise HostileBundleError(f"the bundle holds {container.DATA.decode()} twice")
                seen = True
                reader = TarReader(Decompressed(part.source, self._size), self._size)
                for member in reader:
                    yield member, reader

    def _content(self, entry: Entry, source: Source) -> Iterator[bytes]:
        digest = hashlib.sha256()
        left = entry.size
        for chunk in chunks(source, entry.size):
            digest.update(chunk)
            left -= len(chunk)
            if not left and digest.hexdigest() != entry.sha256:
                raise BundleError(f"{self.path} changed while it was read; try again")
            yield chunk

    def _read_version(self, content: bytes | None) -> int:
        if content is None:
            raise BundleError(f"{self.path} is damaged: it has no {container.VERSION.decode()}; or it is not a bundle")
        digits = content.removeprefix(container.VERSION_PREFIX).rstrip(b"\n")
        if not content.startswith(container.VERSION_PREFIX) or not digits.isdigit():
            raise BundleError(f"{self.path} is not a bundle of ReproZip: its {container.VERSION.decode()} is another")
        if int(digits) not in VERSIONS:
            raise BundleError(
                f"{self.path} is a bundle of ReproZip of version {int(digits)}, and rtrace reads 1 and 2; update rtrace"
            )
        return int(digits)

    def _explain(self, error: BundleError) -> BundleError:
        """Return an error in a complete sentence."""
        message = str(error)
        if message.startswith(str(self.path)):
            return error
        if isinstance(error, HostileBundleError):
            return HostileBundleError(f"{self.path} is refused: {message}; nothing was written")
        return BundleError(f"{self.path} is damaged: {message}; fetch it again")
