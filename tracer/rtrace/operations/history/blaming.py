"""`rtrace blame`: which runs made a file, by its content, wherever it was moved or renamed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rtrace.errors import UsageError
from rtrace.files.reading import open_at_once, read_parts
from rtrace.path_text import to_bytes
from rtrace.record.history.protocol import History
from rtrace.record.query import Made, Query, Row

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Blamed:
    """The runs that wrote a content, newest first; or, where none did, those that used it or its path."""

    sha256: str
    made: list[Made]
    by_path: list[Row]
    """Runs that used a file of this path, with another content."""
    read: list[Row]
    """Runs that read this content, wherever it was."""


def blame_file(history: History, file: Path) -> Blamed:
    """Return which runs made a file. Raises UsageError when it cannot be read."""
    digest = digest_file(file)
    catalogue = history.catalogue()
    made = catalogue.blame(digest)
    if made:
        return Blamed(digest, made, [], [])
    read = catalogue.find(Query(digest=digest, limit=SHOWN))
    used = catalogue.find(Query(file=to_bytes(os.path.abspath(file)), limit=SHOWN))
    return Blamed(digest, [], [row for row in used if row not in read], read)


def digest_file(file: Path) -> str:
    """Return the SHA-256 of a file. Raises UsageError when it is no file, or cannot be read."""
    digest = sha256()
    try:
        descriptor = open_at_once(str(file), os.O_RDONLY)
        with open(descriptor, "rb"):
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{file} is not a file; name one that a run wrote")
            for part in read_parts(descriptor):
                digest.update(part)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}; name a file that a run wrote") from None
    return digest.hexdigest()
