"""A working tree as it was before a run, of which the run has changed some files since.

What was not committed is told at the end of a run, and must not be what the run itself has written. The content that
such a file had is put into the index, which is a copy of ours, and compared there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rtrace.files.reading import read_file

LARGEST_COPY = 16 << 20
"""Bytes of an earlier content that are compared; git takes what is longer for no text either."""
MOST_COPIES = 500
_REGULAR = b"100644"
_LISTED = rb"([^\0]+)\0  ctime: .*\n  mtime: (\d+):(\d+)\n  dev: .*\n  uid: .*\n  size: (\d+)\t.*\n"


class Stamp(NamedTuple):
    """Size and time of a file before the run, of which there is no copy."""

    size: int
    mtime_ns: int


Earlier = Mapping[bytes, "bytes | Stamp | None"]
"""Absolute paths that a run has changed: where the content from before it lies, its stamp, or None for no file."""
Stamps = Callable[[list[bytes]], Mapping[bytes, Stamp]]
"""Returns size and time that files of the index had when they were last the same."""


class Entry(NamedTuple):
    """A file that is not as committed: its path in the tree, its state, and its mode and content in the index."""

    path: bytes
    state: str
    mode: bytes = _REGULAR
    name: bytes = b""


class Division(NamedTuple):
    """Changed files: those that the run has not touched, and what the index has to say of the others.

    Of the ``earlier`` ones without a content, the index is right. ``unknown`` are those of which nobody can tell any
    more what they were before the run; they are among the untouched.
    """

    untouched: list[Entry]
    earlier: list[Entry]
    contents: dict[bytes, bytes | None]
    unknown: list[bytes]


def divide(root: bytes, entries: Sequence[Entry], earlier: Earlier, list_stamps: Stamps) -> Division:
    """Divide the changed files by whether the run has touched them; files that it made are left out."""
    division = Division([], [], {}, [])
    known = {entry.path: os.path.join(root, entry.path) for entry in entries}
    stamped = [path for path, whole in known.items() if isinstance(earlier.get(whole), Stamp)]
    stamps = list_stamps(stamped[:MOST_COPIES]) if stamped else {}
    for entry in entries:
        whole = known[entry.path]
        if whole not in earlier:
            division.untouched.append(entry)
            continue
        was = earlier[whole]
        if entry.state == "untracked":
            if was is not None:  # it was not tracked before either
                division.untouched.append(entry)
            continue
        content = read_copy(was) if isinstance(was, bytes) else None
        is_known = was is None or content is not None or was == stamps.get(entry.path)
        if not is_known or len(division.earlier) == MOST_COPIES:
            division.untouched.append(entry)
            division.unknown.append(entry.path)
            continue
        division.earlier.append(entry)
        if not isinstance(was, Stamp):
            division.contents[entry.path] = content
    return division


def read_stamps(listing: bytes) -> dict[bytes, Stamp]:
    """Return what `git ls-files -z --debug` tells of the files in the index."""
    return {
        match[1]: Stamp(int(match[4]), int(match[2]) * 1_000_000_000 + int(match[3]))
        for match in re.finditer(_LISTED, listing)
    }


def read_copy(path: bytes) -> bytes | None:
    """Return the content of a copy; None where it is gone, or too long."""
    try:
        size = os.stat(path).st_size
    except OSError:  # ENOENT: it was removed meanwhile
        return None
    content = read_file(path, LARGEST_COPY)
    return content if len(content) == size else None
