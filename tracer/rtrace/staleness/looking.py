"""This machine as it is now: what is at a path, what is in a folder, what a file holds."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from rtrace.files.reading import hash_file
from rtrace.staleness.model import State

if TYPE_CHECKING:
    from collections.abc import Collection

UNREADABLE = "unreadable"
NOTHING = State(None)
_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
}


class Machine:
    """Looks at each path once; ``hashed`` counts the files that were read."""

    def __init__(self) -> None:
        self.hashed = 0
        self._digests: dict[bytes, str | None] = {}
        self._names: dict[bytes, frozenset[bytes] | None] = {}

    def look(self, path: bytes) -> State:
        """Return what is at a path, a symlink itself."""
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return NOTHING
        except (OSError, ValueError):  # EACCES, ELOOP, ENAMETOOLONG: nobody here can say what is there
            return State(UNREADABLE)
        kind = _TYPES.get(stat.S_IFMT(status.st_mode), UNREADABLE)
        target = None
        if kind == "symlink":
            try:
                target = os.readlink(path)
            except OSError:
                return State(UNREADABLE)
        return State(kind, status.st_size, status.st_mtime_ns, status.st_ctime_ns, target)

    def hash(self, path: bytes) -> str | None:
        """Return the SHA-256 of a regular file, in hexadecimal; None where it cannot be read."""
        if path not in self._digests:
            self.hashed += 1
            try:
                digest = hash_file(path, follow=False)
            except OSError:
                digest = None
            self._digests[path] = None if digest is None else digest.hex()
        return self._digests[path]

    def list_names(self, folder: bytes) -> Collection[bytes] | None:
        """Return the names in a folder; None where it cannot be listed."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._names[folder] = None
        return self._names[folder]
