"""Contents of files under pseudonyms: copies of those that hold a name, and the digests of what runs wrote."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.reading import open_content, read_parts
from rtrace.files.stamps import keep_inode, keep_time
from rtrace.packages.caches.shipped import is_as_shipped
from rtrace.packages.generated import find_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rtrace.bundle.entry import Entry
    from rtrace.manifest.model import Package
    from rtrace.privacy.anonymous.ids import PersonalIds
    from rtrace.privacy.anonymous.names import PersonalNames
    from rtrace.trace.reading.reader import After

_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ\0", b"BZh", b"\x28\xb5\x2f\xfd", b"\x89PNG", b"7z\xbc\xaf")
"""How compressed files begin."""
_ACCOUNTS = (b"/etc/passwd", b"/etc/group")
_SYSTEM_FILES = (*_ACCOUNTS, b"/etc/hostname", b"/etc/hosts")
_ID = re.compile(rb"0|[1-9][0-9]{0,9}")


class PackedContent(NamedTuple):
    """The file that holds a content, and its size."""

    source: bytes
    size: int


class ContentReplacer:
    """Replaces names in files.

    What everybody has who has its package identifies nobody: a name is an ordinary word there, and stays. ``shipped``
    are the files of which that is so; ``compiled`` those that Python compiled of such files, which hold names in paths
    alone; ``compressed`` those that were not searched.
    """

    def __init__(
        self, names: PersonalNames, ids: PersonalIds, packages: Iterable[Package], *, modules_change: bool
    ) -> None:
        """Begin; ``modules_change`` is whether a pseudonym changes the name of a module of a package."""
        self.shipped: set[bytes] = set()
        self.compiled: set[bytes] = set()
        self.compressed: list[bytes] = []
        self._names = names
        self._ids = ids
        self._packages = {package.name: package for package in packages}
        self._modules_change = modules_change

    def replace_names(self, entry: Entry, source: bytes, folder: Path) -> PackedContent:
        """Copy a file, with pseudonyms, into a folder if it holds names; return the file to be packed."""
        path = entry.path
        unchanged = PackedContent(source, entry.size)
        try:
            with open(source, "rb", opener=open_content) as file:
                occurs = path in _SYSTEM_FILES or self._names.occur_in(read_parts(file.fileno()))
                if occurs and self._is_shipped(entry, source):
                    self.shipped.add(path)
                    return unchanged
                if _is_compressed(file.fileno()):
                    if not entry.is_published:
                        self.compressed.append(path)
                    return unchanged
                return self._copy(entry, file.fileno(), folder) if occurs else unchanged
        except OSError:  # it is gone or cannot be read, which writing it reports
            return unchanged

    def hash(self, path: bytes, after: After | None = None) -> str | None:
        """Return the digest of a file with pseudonyms; None if it holds no name, or is not as a run left it."""
        try:
            with open(path, "rb", opener=open_content) as file:
                descriptor = file.fileno()
                state = os.fstat(descriptor)
                left = None if after is None else (after.size, after.mtime_ns, after.inode)
                if left not in {None, (state.st_size, keep_time(state.st_mtime_ns), keep_inode(state.st_ino))}:
                    return None
                if _is_compressed(descriptor) or not self._names.occur_in(read_parts(descriptor)):
                    return None
                os.lseek(descriptor, 0, os.SEEK_SET)
                digest = hashlib.sha256()
                for part in self._names.replace_in_parts(read_parts(descriptor)):
                    digest.update(part)
                return digest.hexdigest()
        except OSError:  # it is gone or cannot be read: its digest stays what the trace says
            return None

    def replace(self, content: bytes) -> bytes:
        """Return a content with pseudonyms, which has the digest that ``hash`` gives; a compressed one stays."""
        return content if content.startswith(_COMPRESSED) else self._names.replace(content)

    def _copy(self, entry: Entry, descriptor: int, folder: Path) -> PackedContent:
        """Copy a file with pseudonyms. Raises OSError."""
        state = os.fstat(descriptor)
        size = entry.size
        os.lseek(descriptor, 0, os.SEEK_SET)
        copy = os.path.join(os.fsencode(folder), b"anonymous")
        with open(copy, "wb") as target:
            if entry.path in _SYSTEM_FILES:
                content = self._rewrite_system_file(entry.path, b"".join(read_parts(descriptor)))
                size += len(content) - state.st_size
                target.write(content)
            else:
                in_paths = self._is_compiled(entry)
                target.writelines(self._names.replace_in_parts(read_parts(descriptor), in_paths=in_paths))
        os.utime(copy, ns=(state.st_mtime_ns, state.st_mtime_ns))
        return PackedContent(copy, size)

    def _is_shipped(self, entry: Entry, content: bytes) -> bool:
        """Whether a file is as its package shipped it, or is what dpkg had compiled of such a file."""
        package = self._packages.get(entry.package or "")
        if package is None or entry.path in _SYSTEM_FILES or not entry.is_published:
            return False
        if package.manager == "dpkg":
            original = find_source(entry.path) if entry.belonging == "compiled" else entry.path
            return is_as_shipped(original, content if original == entry.path else original, package)
        return not self._modules_change and entry.belonging is None and is_as_shipped(entry.path, content, package)

    def _is_compiled(self, entry: Entry) -> bool:
        """Whether Python compiled a file of one that is as its distribution shipped it, whose path it then holds."""
        package = self._packages.get(entry.package or "")
        original = find_source(entry.path)
        if package is None or self._modules_change or original == entry.path:
            return False
        if not is_as_shipped(original, original, package):
            return False
        self.compiled.add(entry.path)
        return True

    def _rewrite_system_file(self, path: bytes, content: bytes) -> bytes:
        """Return hostname(5), hosts(5), passwd(5) or group(5) with pseudonyms and the ids that go with them."""
        words = re.split(rb"([\s:,]+)", self._names.replace(content))
        if path in _ACCOUNTS:
            words = [b"%d" % self._ids.replace(int(word)) if _ID.fullmatch(word) else word for word in words]
        return b"".join(map(self._names.replace_value, words))


def _is_compressed(descriptor: int) -> bool:
    """Whether an open file begins as compressed ones do."""
    return os.pread(descriptor, 8, 0).startswith(_COMPRESSED)
