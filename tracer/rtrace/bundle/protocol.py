"""What every bundle answers, whoever wrote it, and what a format of bundles is.

A format is a folder or a file, and a line in `rtrace.opening`; one that another distribution brings is an entry point
of the group ``rtrace.formats``. `rtrace.reprozip.reprozip_format` is an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from rtrace.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from rtrace.bundle.entry import Entry, Result
    from rtrace.bundle.written_content import WrittenContent
    from rtrace.manifest.model import Manifest, Notice
    from rtrace.progress import Progress


class OpenBundle(Protocol):
    """A bundle that is open for reading; see `rtrace.bundle.reading.bundle_reader.Bundle`."""

    path: Path

    @property
    def identity(self) -> str:
        """The SHA-256 that identifies it."""

    @property
    def maker(self) -> str:
        """Who wrote it."""

    @property
    def keeps_digests(self) -> bool:
        """Whether it says what its files, and the outputs of the runs, have to be."""

    @property
    def has_trace(self) -> bool:
        """Whether there is a trace database in it."""

    @property
    def extensions(self) -> tuple[str, ...]:
        """The names of what others have added to it."""

    @property
    def manifest(self) -> Manifest:
        """The runs, and all that is known of them."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every packed file."""

    def iterate_entries(self) -> Iterator[Entry]:
        """Yield every packed file; of many, none stays in memory."""

    @property
    def results(self) -> tuple[Result, ...]:
        """What the runs left behind."""

    def check_results(self) -> None:
        """Look at the results without keeping any. Raises BundleError."""

    def __enter__(self) -> OpenBundle: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def check(self, progress: Progress = SILENT) -> None:
        """Read all of it, and report the bytes of contents. Raises BundleError."""

    def find(self, path: bytes) -> Entry | None:
        """Return the entry at a path; None where there is none."""

    def read_file(self, path: bytes) -> Iterator[bytes]:
        """Yield the content of one file."""

    def stream_data(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Yield the entries, at least those with content, each with the parts of it."""

    def read_records(self) -> list[bytes]:
        """Return the records of the runs, a JSON document each; none where the bundle has none."""

    def find_written(self, sha256: str) -> WrittenContent | None:
        """Return what the bundle knows of a content that a run wrote; None where it knows its digest alone."""

    def read_written(self, content: WrittenContent) -> Iterator[bytes]:
        """Yield the parts of a content that a run wrote, proven when the last one was taken. Raises BundleError."""

    def extract_trace(self, destination: Path) -> None:
        """Write the trace database to a new file."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written in some format. ``losses`` say what that format has no place for.

    ``notes`` say, a sentence each, how it is used; ``incomplete`` what the bundle itself lacks.
    """

    target: Path
    identity: str
    files: int
    losses: tuple[Notice, ...]
    notes: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()


class Writer(Protocol):
    """What writes a bundle in a format."""

    def __call__(self, bundle: OpenBundle, target: Path, *, progress: Progress) -> Exported:
        """Write an open bundle as a new file: complete, or not at all. Raises BundleError."""


@dataclass(frozen=True)
class Format:
    """A format of bundles.

    ``recognise`` says whether a file is of this format, not whether it is intact; it raises nothing, and leaves the
    file at any position. ``open_bundle`` takes the path, for messages, and the open file, which the bundle closes when
    it is left; it raises BundleError. ``write`` is what `rtrace export --format` and `rtrace pack --format` call.
    """

    name: str
    recognise: Callable[[BinaryIO], bool]
    open_bundle: Callable[[Path, BinaryIO], OpenBundle]
    write: Writer | None = None
