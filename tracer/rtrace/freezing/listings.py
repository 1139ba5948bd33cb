"""Names of a folder in a fixed order: getdents64(2) answered from a list, made when it is read from the beginning.

    the kernel's order    whatever the file system likes         offset: a cookie
    the frozen order      by name, or the other way round        offset: how many names were told

The offset of the open folder is the program's own, so that it can seek, and share the folder with its children.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator

from rtrace.linux.descriptors import ENTRY_HEAD, Entry, list_entries

OLD_HEAD = struct.Struct("=QQH")  # struct linux_dirent of getdents(2): the type is its last byte
EIGHT = 8
MOST_LISTS = 256


class Listings:
    """The lists of open folders by device and inode: the one that a process began to read last stays its own."""

    def __init__(self, *, backwards: bool) -> None:
        """Begin without any; ``backwards`` is another fixed order."""
        self.backwards = backwards
        self.lists: dict[tuple[int, int, int], list[Entry]] = {}

    def read(self, descriptor: int, process: int, size: int, *, old: bool) -> bytes:
        """Return what getdents64(2) is to write into a buffer of ``size`` bytes, and move the folder's offset on.

        ``descriptor`` is a copy of the process's own; with ``old`` the call is getdents(2). Raises OSError.
        """
        state = os.fstat(descriptor)
        key = (process, state.st_dev, state.st_ino)
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            return self._read(descriptor, key, position, size, old=old)
        except OSError:
            os.lseek(descriptor, position, os.SEEK_SET)  # so that the kernel's own answer is whole
            raise

    def _read(self, descriptor: int, key: tuple[int, int, int], position: int, size: int, *, old: bool) -> bytes:
        if position == 0 or key not in self.lists:
            if len(self.lists) >= MOST_LISTS:
                self.lists.pop(next(iter(self.lists)))
            self.lists[key] = self.sort(list_entries(descriptor))
        names = self.lists[key]
        content = b""
        told = position
        while told < len(names):
            entry = pack_entry(names[told], told + 1, old=old)
            if len(content) + len(entry) > size:
                if not content:
                    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
                break
            content += entry
            told += 1
        os.lseek(descriptor, told, os.SEEK_SET)
        return content

    def sort(self, names: Iterator[Entry]) -> list[Entry]:
        """Return names in the order in which they are told; the folder itself and the one above it come first."""
        return sorted(names, key=lambda name: (name.name not in {b".", b".."}, name.name), reverse=self.backwards)


def pack_entry(name: Entry, position: int, *, old: bool) -> bytes:
    """Return an entry as the kernel writes it; ``position`` is the offset behind it."""
    inode, kind, text = name
    if old:
        length = (OLD_HEAD.size + len(text) + 2 + EIGHT - 1) // EIGHT * EIGHT
        body = OLD_HEAD.pack(inode, position, length) + text
        return body.ljust(length - 1, b"\0") + bytes((kind,))
    length = (ENTRY_HEAD.size + len(text) + 1 + EIGHT - 1) // EIGHT * EIGHT
    return (ENTRY_HEAD.pack(inode, position, length, kind) + text).ljust(length, b"\0")
