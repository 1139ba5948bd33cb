"""A copy of a file that is proven to be what the record says before anybody sees a byte of it."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from rtrace.files.reading import open_content, read_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST_READ = 1 << 30
"""Bytes of a file that is shown or handed out: all are copied first, so that what is proven is what is sent."""
_IN_MEMORY = 4 << 20


@dataclass(frozen=True, slots=True)
class Proven:
    """A copy of a content, at its beginning, and where it was found."""

    file: IO[bytes]
    size: int
    place: str


def prove_file(path: bytes, digests: Collection[str], size: int | None, place: str) -> Proven | None:
    """Return a copy of a file that has one of the digests; None if it is another, no file, or cannot be read.

    ``size`` is what the digested content had, where that is known: a file of another size is not read.
    """
    if not is_regular(path):
        return None
    try:
        descriptor = open_content(path)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_READ:
            return None
        if size is not None and found.st_size != size:
            return None
        return prove_parts(read_parts(descriptor), digests, place)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def is_regular(path: str | bytes) -> bool:
    """Whether there is a regular file: to open a device can do something, and to open a pipe can take for ever."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return False


def prove_parts(parts: Iterable[bytes], digests: Collection[str], place: str) -> Proven | None:
    """Return a copy of a content that has one of the digests; None if it has none of them, or is too large."""
    digest = hashlib.sha256(usedforsecurity=False)
    size = 0
    copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 -- who gets it closes it
    try:
        for part in parts:
            size += len(part)
            if size > MOST_READ:
                break
            digest.update(part)
            copy.write(part)
        else:
            if digest.hexdigest() in digests:
                copy.seek(0)
                return Proven(copy, size, place)
    except BaseException:
        copy.close()
        raise
    copy.close()
    return None
