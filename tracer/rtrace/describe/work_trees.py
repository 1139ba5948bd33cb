"""What version control reads in a replay although the run had no need to: the files that it watches.

Git and DVC remember the times, the inode and the like of each file, and read it only where these have changed. In a
replay all of them have, so what the run only looked at is read there, and must hold what it held.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING

from rtrace.files.reading import read_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_INDEX = re.compile(rb"(.*)/\.git/(?:(?:worktrees|modules)/.+/)?index\Z", re.DOTALL)
_DVC = b"/.dvc/"
_ATTRIBUTES = b".gitattributes"
_WORK_TREE = re.compile(rb"^\s*worktree\s*=\s*(.+?)\s*$", re.MULTILINE)
_MOST = 64 << 20  # bytes of an index that are looked at
_ENTRY = struct.Struct(">60xH")  # times, inode, mode, owner, size and SHA-1 of a file; then its flags
_EXTENDED = 0x4000


def watched_by_git(used: Collection[bytes], looked: Mapping[bytes, int]) -> Iterator[tuple[bytes, set[bytes]]]:
    """Yield the top of each work tree of git, and what git watches there of the files that a run only looked at.

    ``used`` are the files whose content a run needed, ``looked`` those that it looked at, with their sizes. With
    them come the files that say how git reads others, looked at or not (gitattributes(5)).
    """
    for index in sorted(used):
        if index.endswith(b"/index") and (match := _INDEX.match(index)):
            top = find_top(index, match[1])
            tracked = {os.path.join(top, name) for name in read_index(index)}
            watched = {path for path in tracked if path in looked or path.endswith(b"/" + _ATTRIBUTES)}
            info = os.path.join(os.path.dirname(index), b"info/attributes")
            yield top, watched | ({info} if os.path.isfile(info) else set())


def watched_by_dvc(used: Collection[bytes], looked: Mapping[bytes, int]) -> Iterator[tuple[bytes, set[bytes]]]:
    """Yield the top of each work tree of DVC, and what of it a run looked at: all of that DVC may watch."""
    for top in sorted({path.partition(_DVC)[0] for path in used if _DVC in path}):
        apart = (top + _DVC, top + b"/.git/")
        yield top, {path for path in looked if path.startswith(top + b"/") and not path.startswith(apart)}


def find_top(index: bytes, owner: bytes) -> bytes:
    """Return the top of the work tree that an index is of; ``owner`` is the folder that holds ``.git``.

    An index of git-worktree(1) has its ``.git`` named beside it, that of a submodule its folder in ``config``.
    """
    folder = os.path.dirname(index)
    other = read_file(os.path.join(folder, b"gitdir"), _MOST).strip()
    if other:
        return os.path.dirname(os.path.normpath(os.path.join(folder, other)))
    named = _WORK_TREE.search(read_file(os.path.join(folder, b"config"), _MOST))
    return os.path.normpath(os.path.join(folder, named[1])) if named else owner


def read_index(path: bytes) -> list[bytes]:
    """Return the names in an index of git, of version 2, 3 or 4 with SHA-1; none where it is something else.

    See gitformat-index(5).
    """
    data = read_file(path, _MOST)
    magic, version, count = struct.unpack_from(">4sII", data) if len(data) >= 12 else (b"", 0, 0)  # noqa: PLR2004
    if magic != b"DIRC" or version not in {2, 3, 4}:
        return []
    names: list[bytes] = []
    place, name = 12, b""
    for _ in range(count):
        if place + _ENTRY.size > len(data):
            return []
        (flags,) = _ENTRY.unpack_from(data, place)
        begin = place + _ENTRY.size + (2 if flags & _EXTENDED else 0)
        kept = 0
        if version == 4:  # noqa: PLR2004 - names share their beginnings there
            stripped, begin = _read_number(data, begin)
            kept = max(0, len(name) - stripped)
        end = data.find(b"\0", begin)
        if end < 0:
            return []
        name = name[:kept] + data[begin:end]
        names.append(name)
        place = end + 1 if version == 4 else place + (end - place + 8) // 8 * 8  # noqa: PLR2004
    return names


def _read_number(data: bytes, place: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, as in the offsets of git's packs; return it and where it ends."""
    number = -1
    while place < len(data):
        number = (number + 1) << 7 | data[place] & 0x7F
        place += 1
        if not data[place - 1] & 0x80:
            break
    return number, place
