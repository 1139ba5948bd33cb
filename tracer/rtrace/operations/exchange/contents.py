"""What is put into a target: a person's file, standard input, or a packed content; whole before anything begins."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from rtrace.errors import UsageError
from rtrace.files.workspaces import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PART = 1 << 20
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Content:
    """An open regular file, at its beginning: its size, its digest, and what a person calls it."""

    file: BinaryIO
    size: int
    sha256: str
    source: str


@contextlib.contextmanager
def open_content(source: Path | None) -> Iterator[Content]:
    """Open a file, or read all of standard input (None); what is no regular file is read whole.

    Raises UsageError for a file that cannot be read, OSError when the disk has no room for what comes through a pipe.
    """
    with contextlib.ExitStack() as stack:
        try:
            given = stack.enter_context(source.open("rb") if source else os.fdopen(os.dup(0), "rb"))
        except OSError as error:
            raise UsageError(f"cannot read {source}: {error.strerror}; name another file") from None
        digest = hashlib.sha256()
        status = os.fstat(given.fileno())
        copy: BinaryIO | None = None
        if not stat.S_ISREG(status.st_mode) or source is None:  # which may be in the midst of a file
            copy = stack.enter_context(tempfile.TemporaryFile(dir=temporary_folder()))
        size = 0
        while part := given.read(_PART):
            digest.update(part)
            size += len(part)
            if copy is not None:
                copy.write(part)
        file = copy or cast("BinaryIO", given)
        file.seek(0)
        name = STANDARD_INPUT if source is None else str(source.absolute())
        yield Content(file, size, digest.hexdigest(), name)


class PartsReader(io.RawIOBase):
    """A file that reads the parts of a content, one after the other."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read the next bytes into a buffer, none at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = memoryview(part)
        taken = self._rest[: len(view)]
        view[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


def read_parts_of(parts: Iterator[bytes]) -> BinaryIO:
    """Return a file that reads the parts of a content."""
    return io.BufferedReader(PartsReader(parts), _PART)
