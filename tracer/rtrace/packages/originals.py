"""Files as their package brought them: what became of one that was changed after a trace, from the package's archive.

apt keeps archives as NAME_VERSION_ARCHITECTURE.deb until `apt-get clean`. dpkg-deb(1) takes them apart, whatever
compressed them; the tar it gives has times in whole seconds, which are those of the installed files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, NamedTuple

from rtrace.packages.dpkg import MERGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

ARCHIVES = "/var/cache/apt/archives"
_DATABASE = "/var/lib/dpkg/info"
_SECOND = 1_000_000_000
_PART = 1 << 20


class Wanted(NamedTuple):
    """What a run found at a path."""

    size: int
    mtime_ns: int


class Source(NamedTuple):
    """A Debian package of a version."""

    name: str
    version: str
    architecture: str

    @property
    def archive(self) -> str:
        """The name that apt gives to its archive."""
        return f"{self.name.partition(':')[0]}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


class Originals:
    """Copies of packaged files, extracted into a folder when the first of a package is asked for."""

    def __init__(self, folder: Path, *, archives: str = ARCHIVES, database: str = _DATABASE) -> None:
        """Extract into a folder that need not exist yet."""
        self._folder = folder
        self._archives = archives
        self._database = database
        self._found: dict[Source, dict[bytes, Path]] = {}

    def has_archive(self, source: Source) -> bool:
        """Tell whether the archive of a package is at hand."""
        return os.path.isfile(os.path.join(self._archives, source.archive))

    def find(self, source: Source, path: bytes, wanted: Callable[[], Mapping[bytes, Wanted]]) -> Path | None:
        """Give a copy of a file as the package has it; None when it has none of the size and time that is wanted.

        ``wanted`` tells all files that could be asked for, so that one reading of the archive is enough.
        """
        if source not in self._found:
            self._found[source] = self._extract(source, wanted()) if self.has_archive(source) else {}
        return self._found[source].get(path)

    def _extract(self, source: Source, wanted: Mapping[bytes, Wanted]) -> dict[bytes, Path]:
        folder = self._folder / str(len(self._found))
        folder.mkdir(parents=True)
        archive = os.path.join(self._archives, source.archive)
        found: dict[bytes, Path] = {}
        try:
            process = subprocess.Popen(
                ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError:
            return found
        with process:
            try:
                with tarfile.open(fileobj=process.stdout, mode="r|", errors="surrogateescape") as tar:
                    for member in tar:
                        path = _match(member, wanted)
                        content = tar.extractfile(member) if path is not None else None
                        if content is not None and path is not None:
                            copy = folder / str(len(found))
                            with copy.open("xb") as file:
                                shutil.copyfileobj(content, file, _PART)
                            found[path] = copy
            except (tarfile.TarError, EOFError):
                process.kill()
        return found

    def is_pristine(self, source: Source, path: bytes) -> bool:
        """Tell whether a file has the MD5 that its installed package says: configuration files have none there."""
        for name in (source.name, f"{source.name.partition(':')[0]}:{source.architecture}"):
            try:
                with open(os.path.join(self._database, f"{name}.md5sums"), "rb") as sums:
                    known = {line[34:].rstrip(b"\n"): line[:32] for line in sums}
            except OSError:
                continue
            expected = next((known[other[1:]] for other in _names(path) if other[1:] in known), None)
            return expected is not None and _hash(path) == expected
        return False


def _match(member: tarfile.TarInfo, wanted: Mapping[bytes, Wanted]) -> bytes | None:
    """Give the wanted path that is a member of an archive, under its own name or that before /usr was merged."""
    if not member.isreg():
        return None
    name = b"/" + os.fsencode(member.name).lstrip(b"./")
    for path in (name, b"/usr" + name):
        want = wanted.get(path)
        if want is not None and (member.size, int(member.mtime) * _SECOND) == (want.size, want.mtime_ns):
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
