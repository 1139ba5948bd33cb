"""What every bundle answers, whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from rtrace.bundle.entry import Entry, Result
    from rtrace.manifest.model import Manifest


class OpenBundle(Protocol):
    """A bundle that is open for reading; see `rtrace.bundle.reading.bundle_reader.Bundle`."""

    path: Path

    @property
    def identity(self) -> str:
        """A SHA-256 by which to know it."""

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
        """Give every packed file; of many none stays in memory."""

    @property
    def results(self) -> tuple[Result, ...]:
        """What the runs left behind."""

    def check_results(self) -> None:
        """Look at the results without keeping any. Raises BundleError."""

    def __enter__(self) -> OpenBundle: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def check(self) -> None:
        """Read all of it. Raises BundleError."""

    def find(self, path: bytes) -> Entry | None:
        """Give the entry at a path."""

    def read_file(self, path: bytes) -> Iterator[bytes]:
        """Give the content of one file."""

    def stream_data(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Give the entries, at least those with a content, each with the parts of it."""

    def extract_trace(self, destination: Path) -> None:
        """Write the trace database to a new file."""
