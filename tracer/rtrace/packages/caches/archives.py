"""Archives of packages in the caches of their managers: where they are, and the regular files in them.

dpkg     /var/cache/apt/archives/NAME_VERSION_ARCHITECTURE.deb, taken apart by dpkg-deb(1)
rpm      /var/cache/dnf/*/packages/NAME-VERSION-RELEASE.ARCHITECTURE.rpm and others, taken apart by rpm2cpio(8)
pacman   /var/cache/pacman/pkg/NAME-VERSION-ARCHITECTURE.pkg.tar.*, taken apart by bsdtar(1)

Each tool comes with its manager and knows all ways of compression. What they give has times in whole seconds, which are
those of the installed files.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHES = {
    "dpkg": ("/var/cache/apt/archives",),
    "rpm": ("/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum", "/var/cache/zypp"),
    "pacman": ("/var/cache/pacman/pkg",),
}
"""Folders by package manager, the usual one first."""
_ENDINGS = (".zst", ".xz", ".gz", "")
_PART = 1 << 20
_CPIO_HEADER = 110  # cpio(5), "New ASCII Format": 6 bytes of magic, 13 numbers of 8 hexadecimal digits each
_CPIO_MAGIC = frozenset({b"070701", b"070702"})
_CPIO_MODE, _CPIO_TIME, _CPIO_SIZE, _CPIO_NAME = 1, 5, 6, 11
_LONGEST_NAME = 1 << 16


class Source(NamedTuple):
    """A package of a version."""

    manager: str
    name: str
    version: str
    architecture: str

    @property
    def archive(self) -> str:
        """The name that its manager gives to its archive."""
        if self.manager == "dpkg":
            return f"{self.name.partition(':')[0]}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"
        if self.manager == "rpm":
            name = self.name.removesuffix(f"-{self.version}.{self.architecture}")  # one of several architectures
            return f"{name}-{self.version.rpartition(':')[2]}.{self.architecture}.rpm"
        return f"{self.name}-{self.version}-{self.architecture}.pkg.tar{_ENDINGS[0]}"


class Member(NamedTuple):
    """A regular file in an archive; ``parts`` of its content are there until the next member is asked for."""

    path: bytes
    size: int
    mtime: int
    parts: Iterator[bytes]


def find_archive(source: Source) -> str | None:
    """Give the archive of a package, if it is at hand."""
    if source.manager == "rpm":
        return _list_rpms().get(source.archive)
    stem = source.archive.removesuffix(_ENDINGS[0])
    names = [stem + ending for ending in _ENDINGS] if source.manager == "pacman" else [source.archive]
    paths = [os.path.join(cache, name) for cache in CACHES[source.manager] for name in names]
    return next(filter(os.path.isfile, paths), None)


@lru_cache(maxsize=1)
def _list_rpms() -> dict[str, str]:
    """Give the archives of rpm by their names: each tool has folders of its own in its cache, one for a repository."""
    folders = (found for cache in reversed(CACHES["rpm"]) for found in os.walk(cache))
    return {name: os.path.join(folder, name) for folder, _, names in folders for name in names if name.endswith(".rpm")}


def read_archive(source: Source, path: str) -> Iterator[Member]:
    """Give the regular files of an archive as far as it can be read; raises OSError where its tool is not there."""
    if source.manager == "rpm":
        with _output_of("rpm2cpio", path) as output:
            yield from read_cpio(output)
        return
    argv = ("dpkg-deb", "--fsys-tarfile", path) if source.manager == "dpkg" else ("bsdtar", "-cf", "-", f"@{path}")
    with _output_of(*argv) as output:
        try:
            yield from _read_tar(output)
        except (tarfile.TarError, EOFError):
            return


@contextmanager
def _output_of(*argv: str) -> Iterator[IO[bytes]]:
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            if process.stdout is not None:
                yield process.stdout
        finally:
            process.kill()


def _read_tar(stream: IO[bytes]) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|", errors="surrogateescape") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                parts = _take(content, member.size)
                yield Member(_root(os.fsencode(member.name)), member.size, int(member.mtime), parts)


def read_cpio(stream: IO[bytes]) -> Iterator[Member]:
    """Give the regular files of an archive of cpio, as far as it goes."""
    while True:
        header = stream.read(_CPIO_HEADER)
        if len(header) < _CPIO_HEADER or header[:6] not in _CPIO_MAGIC:
            return
        try:
            numbers = [int(header[begin : begin + 8], 16) for begin in range(6, _CPIO_HEADER, 8)]
        except ValueError:
            return
        size, length = numbers[_CPIO_SIZE], numbers[_CPIO_NAME]
        if length > _LONGEST_NAME:
            return
        name = stream.read(length).rstrip(b"\0")
        stream.read(-(_CPIO_HEADER + length) % 4)
        parts = _take(stream, size)
        if stat.S_ISREG(numbers[_CPIO_MODE]):
            yield Member(_root(name), size, numbers[_CPIO_TIME], parts)
        for _ in parts:  # what nobody wanted
            pass
        stream.read(-size % 4)


def _take(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Give so many bytes of a stream, or what there is."""
    while size and (part := stream.read(min(size, _PART))):
        size -= len(part)
        yield part


def _root(name: bytes) -> bytes:
    return b"/" + name.removeprefix(b"./").lstrip(b"/")
