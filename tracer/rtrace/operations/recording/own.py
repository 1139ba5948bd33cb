"""Which records were made here by this very user: what a record says of that, anybody can have written.

A file of the user's, outside of every history, has a digest of each run's command, folder and environment. So a record
that came by `rtrace import` or `rtrace sync`, and one that somebody has changed in a shared history, is told from what
the user has run.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.record.history.place import own_folder

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.record.document import Record

_DIGEST = 16
_MOST_BYTES = 64 << 20
"""Digests of four million runs; later ones count as somebody else's."""


def note_own(record: Record) -> None:
    """Note that a record was made here; where that cannot be written, it counts as somebody else's."""
    path = _find_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, _digest(record))
        finally:
            os.close(descriptor)
    except OSError as error:  # ENOSPC, EROFS, EACCES: `rtrace repeat` then asks for --yes
        debug(__name__, "not noted as own: %r", error)


def is_own(record: Record) -> bool:
    """Whether a record was made here, and still says the same of what was run."""
    try:
        descriptor = os.open(_find_file(), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode) or status.st_mode & 0o022:
                return False
            return _digest(record) in file.read(_MOST_BYTES)
    except OSError:  # nothing was noted yet
        return False


def _find_file() -> Path:
    return own_folder().with_name("own-runs")


def _digest(record: Record) -> bytes:
    from hashlib import blake2b

    said = (record["id"], record["arguments"], record["workingdir"], record["environment"], record["redacted"])
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=_DIGEST).digest()
