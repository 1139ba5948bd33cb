"""Reading what the runs wrote: hostile until it is proven to be what its digest says."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from rtrace.bundle import tar
from rtrace.bundle.limits import check_data_size
from rtrace.bundle.written.lines import lay_out, load_contents, prove_layout
from rtrace.bundle.written_content import WrittenContent
from rtrace.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.bundle.data.archive import ArchiveReader


class WrittenReader:
    """The contents that runs wrote, of a bundle of some size. All of it raises BundleError."""

    def __init__(self, lines: Iterable[bytes], archive: ArchiveReader | None, bundle_size: int) -> None:
        """Read the lines; ``archive`` is None where there are only digests of blocks."""
        self.contents = load_contents(lines)
        self._archive = archive
        self._bundle_size = bundle_size
        _ = self._length

    @cached_property
    def _length(self) -> int:
        """How long the archive is before its end, which is compared with the archive."""
        length = prove_layout(self.contents.values())
        check_data_size(length, self._bundle_size)
        has = None if self._archive is None else self._archive.size
        if has != (length + len(tar.END) if length else None):
            raise BundleError("it is not as long as its index says")
        return length

    def read(self, content: WrittenContent) -> Iterator[bytes]:
        """Yield the parts of a content; at the end it is known to have its digest."""
        if content.offset is None or self._archive is None:
            raise BundleError(f"only digests of the content {content.sha256} are in it")
        digest = hashlib.sha256()
        for part in self._archive.read(content.offset, content.size):
            digest.update(part)
            yield part
        if digest.hexdigest() != content.sha256:
            raise BundleError(f"the content {content.sha256} has another digest")

    def check(self) -> None:
        """Read everything, and compare every byte with what can stand there."""
        end = 0
        for content, header in lay_out(self.contents.values()):
            begin = (content.offset or 0) - len(header)
            self._expect(begin, header)
            for _ in self.read(content):
                pass
            end = (content.offset or 0) + content.size
            self._expect(end, tar.padding(content.size))
            end += len(tar.padding(content.size))
        if end:
            self._expect(end, tar.END)

    def _expect(self, offset: int, wanted: bytes) -> None:
        if self._archive is not None and b"".join(self._archive.read(offset, len(wanted))) != wanted:
            raise BundleError(f"something else is where {len(wanted)} bytes of a tar should be, at {offset}")
