"""The outputs of one run as one archive: a tar, by their paths, compressed with zstd."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from rtrace.bundle.data.archive import ArchiveWriter
from rtrace.record.keeping.content import ChangedError, Content


class _Sink(io.RawIOBase):
    """What tarfile writes to: hands all on to the compressor."""

    def __init__(self, writer: ArchiveWriter) -> None:
        super().__init__()
        self._writer = writer

    def writable(self) -> bool:
        """Whether it can be written to: always."""
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Take some bytes."""
        self._writer.write(bytes(content))
        return len(content)


class _Source(io.RawIOBase):
    """A content as a file that tarfile reads."""

    def __init__(self, content: Content, descriptor: int) -> None:
        super().__init__()
        self._parts = content.read(descriptor)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return as many bytes as are wanted; the content is compared with its digest at its end."""
        while len(self._rest) < size:
            part = next(self._parts, None)
            if part is None:
                break
            self._rest += part
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def finish(self) -> None:
        """Read to the end, where the digest is compared."""
        for part in self._parts:
            raise ChangedError(f"{len(part)} bytes more than it had")


def write_archive(path: Path, contents: Sequence[Content]) -> str:
    """Write an archive; return its SHA-256. Raises OSError and ChangedError."""
    with open(path, "wb") as file:
        writer = ArchiveWriter(file)
        try:
            with tarfile.open(fileobj=_Sink(writer), mode="w|", format=tarfile.PAX_FORMAT) as archive:
                for content in contents:
                    _add(archive, content)
            digest = writer.finish()
        finally:
            writer.close()
        file.flush()
        os.fsync(file.fileno())
    return digest


def _add(archive: tarfile.TarFile, content: Content) -> None:
    descriptor, size = content.open()
    try:
        member = tarfile.TarInfo(content.path.lstrip("/"))
        member.size, member.mode = size, 0o644
        member.mtime = int(os.fstat(descriptor).st_mtime)
        source = _Source(content, descriptor)
        try:
            archive.addfile(member, source)
        except OSError:  # what tarfile says of a file that has become shorter
            raise ChangedError(f"{content.path} has changed since the run") from None
        source.finish()
    finally:
        os.close(descriptor)


def check_contents(contents: Sequence[Content]) -> tuple[list[Content], list[str]]:
    """Return the contents that are still as they were, and a sentence on each other one."""
    whole, changed = [], []
    for content in contents:
        try:
            descriptor, _ = content.open()
            try:
                for _ in content.read(descriptor):
                    pass
            finally:
                os.close(descriptor)
        except ChangedError as error:
            changed.append(str(error))
        else:
            whole.append(content)
    return whole, changed
