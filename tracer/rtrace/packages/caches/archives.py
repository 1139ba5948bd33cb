"""Archives of packages in the caches of their managers: where they are, and the regular files in them.

Each manager says where it keeps them and which tool takes them apart (`rtrace.packages.model.ArchiveCache`): the tool
comes with the manager and knows all ways of compression. What they hold has times in whole seconds, which are those of
the installed files.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, TYPE_CHECKING, NamedTuple

from rtrace.debugging import debug
from rtrace.packages.registry import find_manager, list_system_managers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.packages.model import ArchiveCache, PackageVersion

_PART = 1 << 20
_CPIO_HEADER = 110  # cpio(5), "New ASCII Format": 6 bytes of magic, 13 numbers of 8 hexadecimal digits each
_CPIO_MAGIC = frozenset({b"070701", b"070702"})
_CPIO_MODE, _CPIO_TIME, _CPIO_SIZE, _CPIO_NAME = 1, 5, 6, 11
_LONGEST_NAME = 1 << 16


class ArchivedFile(NamedTuple):
    """A regular file in an archive; ``parts`` of its content are there until the next member is asked for."""

    path: bytes
    size: int
    mtime: int
    parts: Iterator[bytes]


def list_cached_managers() -> list[str]:
    """Return the names of the package managers that keep archives, the likeliest one first."""
    return [manager.name for manager in list_system_managers() if manager.archives is not None]


def find_cache(package: PackageVersion) -> ArchiveCache | None:
    """Return where the manager of a package keeps archives; None where it keeps none."""
    manager = find_manager(package.manager)
    return None if manager is None else manager.archives


def name_archive(package: PackageVersion) -> str:
    """Return the usual name of a package's archive; nothing where its manager keeps none."""
    cache = find_cache(package)
    return "" if cache is None else cache.name_archive(package) + cache.endings[0]


def find_archive(package: PackageVersion) -> str | None:
    """Return the archive of a package, if it is at hand."""
    cache = find_cache(package)
    if cache is None:
        return None
    stem = cache.name_archive(package)
    names = [stem + ending for ending in cache.endings]
    if cache.nested:
        listed = _list_nested(cache.folders)
        return next((listed[name] for name in names if name in listed), None)
    paths = [os.path.join(folder, name) for folder in cache.folders for name in names]
    found = next(filter(os.path.isfile, paths), None)
    debug(__name__, "archive of %s %s: %s", package.name, package.version, found or "none at hand")
    return found


@lru_cache(maxsize=4)
def _list_nested(folders: tuple[str, ...]) -> dict[str, str]:
    """Return all files below some folders by their names; of two with one name, that of the folder named first."""
    found = (walked for folder in reversed(folders) for walked in os.walk(folder))
    return {name: os.path.join(folder, name) for folder, _, names in found for name in names}


def read_archive(package: PackageVersion, path: str) -> Iterator[ArchivedFile]:
    """Yield the regular files of an archive as far as it can be read; raises OSError where its tool is not there."""
    cache = find_cache(package)
    if cache is None:
        return
    with _output_of(*(part.format(archive=path) for part in cache.command)) as output:
        if cache.content == "cpio":
            yield from read_cpio(output)
            return
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


def _read_tar(stream: IO[bytes]) -> Iterator[ArchivedFile]:
    with tarfile.open(fileobj=stream, mode="r|", errors="surrogateescape") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                parts = _take(content, member.size)
                yield ArchivedFile(_root(os.fsencode(member.name)), member.size, int(member.mtime), parts)


def read_cpio(stream: IO[bytes]) -> Iterator[ArchivedFile]:
    """Yield the regular files of an archive of cpio, as far as it goes."""
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
            yield ArchivedFile(_root(name), size, numbers[_CPIO_TIME], parts)
        for _ in parts:  # what nobody wanted
            pass
        stream.read(-size % 4)


def _take(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield so many bytes of a stream, or what there is."""
    while size and (part := stream.read(min(size, _PART))):
        size -= len(part)
        yield part


def _root(name: bytes) -> bytes:
    return b"/" + name.removeprefix(b"./").lstrip(b"/")
