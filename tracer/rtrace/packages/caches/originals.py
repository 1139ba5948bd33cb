"""Files as their package brought them: one that was changed after a trace is in the archive of its package."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from rtrace.packages.caches.archives import Member, Source, find_archive, read_archive
from rtrace.packages.generated import find_stand_ins
from rtrace.packages.system.dpkg import MERGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_DATABASE = "/var/lib/dpkg/info"
_SECOND = 1_000_000_000
_PART = 1 << 20


class Wanted(NamedTuple):
    """What a run found at a path."""

    size: int
    mtime_ns: int


class Originals:
    """Copies of packaged files, extracted into a folder when the first of a package is asked for."""

    def __init__(self, folder: Path) -> None:
        """Extract into a folder that need not exist yet."""
        self._folder = folder
        self._archives: dict[Source, str | None] = {}
        self._found: dict[Source, dict[bytes, Path]] = {}

    def has_archive(self, source: Source) -> bool:
        """Tell whether the archive of a package is at hand."""
        return self._find_archive(source) is not None

    def _find_archive(self, source: Source) -> str | None:
        if source not in self._archives:
            self._archives[source] = find_archive(source)
        return self._archives[source]

    def find(self, source: Source, path: bytes, wanted: Callable[[], Mapping[bytes, Wanted]]) -> Path | None:
        """Give a copy of a file as the package has it; None when it has none of the size and time that is wanted.

        ``wanted`` tells all files that could be asked for, so that one reading of the archive is enough.
        """
        if source not in self._found:
            archive = self._find_archive(source)
            self._found[source] = {} if archive is None else self._extract(source, archive, wanted())
        return self._found[source].get(path)

    def _extract(self, source: Source, archive: str, wanted: Mapping[bytes, Wanted]) -> dict[bytes, Path]:
        folder = self._folder / str(len(self._found))
        folder.mkdir(parents=True)
        found: dict[bytes, Path] = {}
        try:
            for member in read_archive(source, archive):
                path = _match(member, wanted)
                if path is not None:
                    copy = folder / str(len(found))
                    with copy.open("wb") as file:
                        file.writelines(member.parts)
                        whole = file.tell() == member.size
                    if whole:
                        found[path] = copy
        except OSError:  # its tool is not there
            pass
        return found

    def may_hold(self, source: Source, path: bytes) -> bool:
        """Tell whether the archive of a package may hold a file, which its manager may also have made when it came.

        Of dpkg's installed packages that is known; of others, what is made by a program of theirs is not in them.
        """
        for name in _list_names(source) if source.manager == "dpkg" else ():
            try:
                with open(os.path.join(_DATABASE, f"{name}.list"), "rb") as lines:
                    listed = frozenset(line.rstrip(b"\n") for line in lines)
            except OSError:
                continue
            return any(other in listed for other in _names(path))
        return not find_stand_ins([path], {}, b"/")

    def is_pristine(self, source: Source, path: bytes) -> bool:
        """Tell whether a file has the MD5 that dpkg's installed package says: configuration files have none there."""
        for name in _list_names(source):
            try:
                with open(os.path.join(_DATABASE, f"{name}.md5sums"), "rb") as sums:
                    known = {line[34:].rstrip(b"\n"): line[:32] for line in sums}
            except OSError:
                continue
            expected = next((known[other[1:]] for other in _names(path) if other[1:] in known), None)
            return expected is not None and _hash(path) == expected
        return False


def _list_names(source: Source) -> tuple[str, str]:
    """Give the names that dpkg's files on a package may have."""
    return source.name, f"{source.name.partition(':')[0]}:{source.architecture}"


def _match(member: Member, wanted: Mapping[bytes, Wanted]) -> bytes | None:
    """Give the wanted path that is a member of an archive, under its own name or that before /usr was merged."""
    for path in (member.path, b"/usr" + member.path):
        want = wanted.get(path)
        if want is not None and (member.size, member.mtime * _SECOND) == (want.size, want.mtime_ns):
            return path
    return None


def _names(path: bytes) -> Iterable[bytes]:
    """Give the names by which a package may have a path."""
    yield path
    if path.startswith(tuple(b"/usr/" + folder + b"/" for folder in MERGED)):
        yield path[len(b"/usr") :]


def _hash(path: bytes) -> bytes | None:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with open(path, "rb", buffering=0) as file:
            while part := file.read(_PART):
                digest.update(part)
    except OSError:
        return None
    return digest.hexdigest().encode()
