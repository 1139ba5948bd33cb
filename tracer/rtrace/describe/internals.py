"""Folders in which a program keeps its own affairs: histories, caches, builds, the files of a database.

What a run writes there is compared in a replay and told by folder, and it is no output that anybody named. A name is
enough for most of them; the folder of a database is told by a file that every such folder has.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_FOLDER = re.compile(
    rb"/(?:\.[^/]+|__pycache__|CMakeFiles|node_modules|site-packages|dist-packages|[^/]+\.(?:dist|egg)-info"
    rb"|_?[Cc]aches?|logs?)(?=/)"
)
_SURE = frozenset({b".git", b".hg", b".svn", b".dvc", b".snakemake", b"__pycache__"})
"""Names under which no result of a run is kept."""
_MARKS = (b"PG_VERSION", b"ibdata1", b"WiredTiger", b"pyvenv.cfg")
"""Files that mark a folder of PostgreSQL, MySQL, MongoDB, or a virtual environment of Python."""
_FILE = re.compile(
    rb".*(?:\.(?:log|pid|lock|swp|pyc|pyo|o|lo|gch)|-(?:wal|shm|journal)|~|/CMakeCache\.txt)\Z", re.DOTALL
)


class Internals:
    """The folders of this kind among some paths; ``homes`` are never among them, whatever their names are."""

    def __init__(self, paths: Iterable[bytes], homes: Iterable[bytes] = ()) -> None:
        self._homes = tuple(home.rstrip(b"/") + b"/" for home in homes if home.rstrip(b"/"))
        marks = (path.rpartition(b"/") for path in paths if path.endswith(_MARKS))
        self._marked = Prefixes(folder + slash for folder, slash, name in marks if name in _MARKS)

    def find_folder(self, path: bytes, above: int = 0) -> bytes | None:
        """Return the topmost such folder that a path lies in, None where there is none.

        ``above`` is how many bytes at the beginning of the path are not looked at.
        """
        start = max((len(home) - 1 for home in self._homes if path.startswith(home)), default=0)
        named = _FOLDER.search(path, max(start, above))
        marked = self._marked.find(path)
        found = [path[: named.end()]] if named else []
        if marked is not None and len(marked) > above:
            found.append(marked.rstrip(b"/"))
        return min(found, key=len) if found else None

    def is_sure(self, path: bytes) -> bool:
        """Whether a path lies in a folder of this kind that holds no results, whatever else is written."""
        folder = self.find_folder(path)
        return folder is not None and folder.rpartition(b"/")[2] in _SURE

    def has(self, path: bytes, above: int = 0) -> bool:
        """Whether a path lies in such a folder, or is by its name a log, a lock or a by-product of another."""
        return self.find_folder(path, above) is not None or _FILE.match(path) is not None


class Prefixes:
    """Some folders, each with a slash at its end, asked for the one that a path lies in."""

    def __init__(self, folders: Iterable[bytes]) -> None:
        self._folders: list[bytes] = []
        for folder in sorted(set(folders)):
            if not self._folders or not folder.startswith(self._folders[-1]):
                self._folders.append(folder)

    def find(self, path: bytes) -> bytes | None:
        """Return the topmost of the folders that a path begins with; None where none does."""
        place = bisect_right(self._folders, path) - 1
        return self._folders[place] if place >= 0 and path.startswith(self._folders[place]) else None
