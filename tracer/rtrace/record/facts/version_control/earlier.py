"""A working tree as it was before a run, of which the run has changed some files since.

What was not committed is told at the end of a run, and must not be what the run itself has written. The content that
such a file had is put into the index, which is a copy of ours, and compared there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rtrace.files.reading import read_file

LARGEST_COPY = 16 << 20
"""Bytes of an earlier content that are compared; git takes what is longer for no text either."""
MOST_COPIES = 500
_REGULAR = b"100644"

Earlier = Mapping[bytes, "bytes | None"]
"""Absolute paths that a run has changed: where the content from before it lies, or None where nothing was there."""


class Entry(NamedTuple):
    """A file that is not as committed: its path in the tree, its state, and its mode in the index."""

    path: bytes
    state: str
    mode: bytes = _REGULAR


class Division(NamedTuple):
    """Changed files: those that the run has not touched, and lines that set the index to what the others were.

    ``unknown`` are those of which the earlier content is too long, or gone.
    """

    untouched: list[Entry]
    earlier: list[Entry]
    contents: dict[bytes, bytes | None]
    unknown: list[bytes]


def divide(root: bytes, entries: Sequence[Entry], earlier: Earlier) -> Division:
    """Divide the changed files by whether the run has touched them; files that it made are left out."""
    division = Division([], [], {}, [])
    for entry in entries:
        path = os.path.join(root, entry.path)
        if path not in earlier:
            division.untouched.append(entry)
            continue
        copy = earlier[path]
        if entry.state == "untracked":
            if copy is not None:  # it was not tracked before either
                division.untouched.append(entry)
            continue
        content = b"" if copy is None else read_copy(copy)
        if content is None or len(division.earlier) == MOST_COPIES:
            division.untouched.append(entry)
            division.unknown.append(entry.path)
            continue
        division.earlier.append(entry)
        division.contents[entry.path] = None if copy is None else content
    return division


def read_copy(path: bytes) -> bytes | None:
    """Return the content of a copy; None where it is gone, or too long."""
    try:
        size = os.stat(path).st_size
    except OSError:  # ENOENT: it was removed meanwhile
        return None
    content = read_file(path, LARGEST_COPY)
    return content if len(content) == size else None
