"""The outside of a bundle of ReproZip: recognised, and taken apart into its parts, whatever holds them.

version 1           a tar, compressed or not: METADATA/... and DATA/..., in any order
version 2           a tar, compressed or not, or a zip: METADATA/..., DATA.tar.gz, EXTENSIONS/..., in any order
"""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Protocol

from rtrace.bundle import tar
from rtrace.bundle.data.file_range import FileRange
from rtrace.errors import BundleError, HostileBundleError
from rtrace.printable import shorten_path
from rtrace.reprozip.reading.byte_sources import Decompressed, skip_by_reading, take
from rtrace.reprozip.reading.limits import check_content_size
from rtrace.reprozip.reading.tar_reader import TarMember, TarReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.reprozip.reading.byte_sources import Source

VERSION = b"METADATA/version"
CONFIG = b"METADATA/config.yml"
TRACE = b"METADATA/trace.sqlite3"
TRACE_GZ = b"METADATA/trace.sqlite3.gz"
DATA = b"DATA.tar.gz"
DATA_FOLDER = b"DATA/"
EXTENSIONS = b"EXTENSIONS/"
VERSION_PREFIX = b"REPROZIP VERSION "

_METADATA = b"METADATA/"
_LOOKED_AT = 64
_LOOKED_AT_BYTES = 1 << 20
"""Of members before the first by which a bundle is known; it is the first one, or comes after a folder or two."""
_ZIP = b"PK\3\4"
_ZIP_END = b"PK\5\6"
_ZIP_END_SIZE = 22
_ZIP_COMMENT = 0xFFFF
_ZIP64_LOCATOR, _ZIP64_END = b"PK\6\7", b"PK\6\6"
_ZIP64_LOCATOR_SIZE, _ZIP64_END_SIZE = 20, 56
_ZIP_DIRECTORY_LIMIT = 1 << 20
"""Bytes: thousands of members, where a bundle has less than ten."""
_ENCRYPTED = 1


@dataclass(frozen=True, slots=True)
class Part:
    """A member of the container; its content can be taken until the next part is asked for.

    ``member`` is its tar header, None in a zip.
    """

    name: bytes
    size: int
    source: Source
    member: TarMember | None = None


class Container(Protocol):
    """What holds the parts."""

    def parts(self) -> Iterator[Part]:
        """Yield the parts from front to back, anew each time. Raises BundleError."""


def is_reprozip(file: BinaryIO) -> bool:
    """Whether a file is a bundle of ReproZip, by its version or the first thing in it; not whether it is intact.

    One of rtrace's own is a plain tar that begins with a version of its own.
    """
    try:
        file.seek(0)
        if file.read(len(_ZIP)) == _ZIP:
            return any(part.name == VERSION for part in ZipContainer(file).parts())
        reader = TarReader(*_outer(file))
        looked_at = 0
        for member in islice(reader, _LOOKED_AT):
            name = member.name.removeprefix(b"./")
            if name == VERSION:
                return take(reader, len(VERSION_PREFIX), whole=False) == VERSION_PREFIX
            if name == DATA or name.startswith((_METADATA, DATA_FOLDER, EXTENSIONS)):
                return True
            looked_at += member.size
            if looked_at > _LOOKED_AT_BYTES:
                return False
    except BundleError:
        pass
    return False


def open_container(file: BinaryIO) -> Container:
    """Return what holds the parts in a file."""
    file.seek(0)
    return ZipContainer(file) if file.read(len(_ZIP)) == _ZIP else TarContainer(file)


def _outer(file: BinaryIO) -> tuple[Source, int]:
    """Return the outer tar, and the size of the file; a plain one as a range, in which skipping reads nothing."""
    size = file.seek(0, os.SEEK_END)
    decompressed = Decompressed(FileRange(file, 0, size), size)
    return decompressed if decompressed.is_compressed else FileRange(file, 0, size), size


class TarContainer:
    """A tar, compressed or not."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def parts(self) -> Iterator[Part]:
        """Yield the members."""
        reader = TarReader(*_outer(self._file))
        for member in reader:
            name = member.name.removeprefix(b"./")
            if not name.startswith(DATA_FOLDER) and member.kind == tar.DIRECTORY:
                continue
            if not name.startswith(DATA_FOLDER) and member.kind != tar.REGULAR:
                raise HostileBundleError(f"the bundle holds {shorten_path(name)} as something other than a file")
            yield Part(name, member.size, reader, member)


class ZipContainer:
    """A zip. Only what needs no memory to speak of is let in: members stored or deflated, and a small directory."""

    def __init__(self, file: BinaryIO) -> None:
        self._size = file.seek(0, os.SEEK_END)
        _check_zip_directory(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise BundleError(f"it is not a zip that can be read ({error})") from None

    def parts(self) -> Iterator[Part]:
        """Yield the members."""
        for info in self._zip.infolist():
            name = info.filename.encode("utf-8", "surrogateescape")
            if info.is_dir():
                continue
            if info.flag_bits & _ENCRYPTED or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise BundleError(f"{shorten_path(name)} in it is encrypted, or compressed in a way that is not read")
            check_content_size(info.file_size, self._size, shorten_path(name))
            try:
                with self._zip.open(info) as file:
                    yield Part(name, info.file_size, _ZipSource(file))
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                raise BundleError(f"{shorten_path(name)} in it cannot be read ({error})") from None


class _ZipSource:
    """A member of a zip; its checksum is compared when its end is reached."""

    def __init__(self, file: object) -> None:
        self._file: zipfile.ZipExtFile = file  # type: ignore[assignment]

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BundleError(f"it cannot be decompressed ({error})") from None

    def skip(self, size: int) -> None:
        skip_by_reading(self, size)


def _check_zip_directory(file: BinaryIO) -> None:
    """Refuse a zip whose directory, which the module zipfile reads in one go, is larger than that of any bundle."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - _ZIP_END_SIZE - _ZIP_COMMENT - _ZIP64_LOCATOR_SIZE - _ZIP64_END_SIZE)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(_ZIP_END)
    if place < 0 or len(tail) - place < _ZIP_END_SIZE:
        raise BundleError("it is cut off: it begins as a zip and does not end as one")
    size = int.from_bytes(tail[place + 12 : place + 16], "little")
    if tail[max(0, place - _ZIP64_LOCATOR_SIZE) : place].startswith(_ZIP64_LOCATOR):
        before = tail[max(0, place - _ZIP64_LOCATOR_SIZE - _ZIP64_END_SIZE) : place - _ZIP64_LOCATOR_SIZE]
        if not before.startswith(_ZIP64_END) or len(before) != _ZIP64_END_SIZE:
            raise BundleError("it is not a zip that can be read (its end is not where it says)")
        size = max(size, int.from_bytes(before[40:48], "little"))
    if size > _ZIP_DIRECTORY_LIMIT:
        raise HostileBundleError("the bundle holds more members than any that ReproZip writes")
