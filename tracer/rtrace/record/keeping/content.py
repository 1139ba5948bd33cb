"""The content of an output, read once and compared with the digest that the record has."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.files.reading import open_content, read_parts
from rtrace.path_text import to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator


class ChangedError(Exception):
    """An output is not any more what the run wrote, or is gone: no later attempt will find it."""


@dataclass(frozen=True)
class Content:
    """A file and what has to be in it; ``name`` is what it is called in a store."""

    path: str
    name: str
    sha256: str

    def open(self) -> tuple[int, int]:
        """Open the file; return its descriptor and its size. Raises ChangedError."""
        try:
            descriptor = open_content(to_bytes(self.path))
        except OSError as error:
            raise ChangedError(f"{self.path} cannot be read ({error.strerror})") from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise ChangedError(f"{self.path} is not an ordinary file any more")
        return descriptor, status.st_size

    def read(self, descriptor: int) -> Iterator[bytes]:
        """Yield what is in the opened file. Raises ChangedError at its end when that is something else."""
        digest = hashlib.sha256()
        try:
            for part in read_parts(descriptor):
                digest.update(part)
                yield part
        except OSError as error:
            raise ChangedError(f"{self.path} cannot be read ({error.strerror})") from None
        if digest.hexdigest() != self.sha256:
            raise ChangedError(f"{self.path} has changed since the run")


def name_content(path: str, sha256: str) -> Content:
    """Return a content by the name that it has in every store, which its digest decides."""
    return Content(path, f"{sha256[:2]}/{sha256}", sha256)
