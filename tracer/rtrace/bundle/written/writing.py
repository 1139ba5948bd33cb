"""Writing what the runs wrote into an archive of its own: each content once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from rtrace.bundle import tar
from rtrace.bundle.data.archive import ArchiveWriter, compress_frame
from rtrace.bundle.written.lines import dump_content, make_header
from rtrace.bundle.written_content import BLOCK_SIZE, WrittenContent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class WrittenContents:
    """Contents on their way into a bundle; without any, nothing is made."""

    def __init__(self, folder: Path) -> None:
        """Begin; the archive is made in a folder when there is a first content."""
        self._folder = folder
        self._archive: ArchiveWriter | None = None
        self._found: dict[str, WrittenContent] = {}

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._found

    def __len__(self) -> int:
        return len(self._found)

    @property
    def path(self) -> Path:
        """Where the archive is, if there is one."""
        return self._folder / "written"

    @property
    def has_archive(self) -> bool:
        """Whether there is an archive: contents of which only digests are kept need none."""
        return self._archive is not None

    def add(self, sha256: str, content: bytes) -> None:
        """Keep a content by its digest; the same one is kept once. Raises OSError when the disk is full."""
        if sha256 in self._found or not content:
            return
        if self._archive is None:
            self._file = self.path.open("xb")
            self._archive = ArchiveWriter(self._file)
        found = WrittenContent(sha256, len(content), 0)
        header = make_header(found)
        self._archive.write(header)
        self._found[sha256] = found._replace(offset=self._archive.position)
        self._archive.write(content)
        self._archive.write(tar.padding(len(content)))

    def add_digests(self, sha256: str, size: int, blocks: str) -> None:
        """Keep the digests of a content's blocks."""
        if size:
            self._found.setdefault(sha256, WrittenContent(sha256, size, None, blocks))

    def finish(self) -> tuple[bytes, str | None]:
        """Return the compressed lines, which are empty without any content, and the digest of the archive."""
        lines = "".join(dump_content(self._found[sha256]) for sha256 in sorted(self._found))
        digest = None
        if self._archive is not None:
            self._archive.write(tar.END)
            digest = self._archive.finish()
            self._file.close()
        return (compress_frame(lines.encode()) if lines else b""), digest

    def close(self) -> None:
        """End what makes the archive; what was not finished is lost."""
        if self._archive is not None:
            self._archive.close()
            self._file.close()


def digest_blocks(parts: Iterable[bytes]) -> tuple[str, int, str]:
    """Return SHA-256 and size of a content that comes in parts of any length, and the digests of its blocks."""
    whole, block = hashlib.sha256(), hashlib.sha256()
    size = filled = 0
    blocks = []
    for part in parts:
        whole.update(part)
        size += len(part)
        view = memoryview(part)
        while view:
            taken = view[: BLOCK_SIZE - filled]
            block.update(taken)
            filled += len(taken)
            view = view[len(taken) :]
            if filled == BLOCK_SIZE:
                blocks.append(block.hexdigest())
                block, filled = hashlib.sha256(), 0
    if filled:
        blocks.append(block.hexdigest())
    return whole.hexdigest(), size, "".join(blocks)
