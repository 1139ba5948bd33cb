"""Opening files in which others are packed, one part after the other.

Nothing is written or run, and what a file says of its own sizes is not believed: every byte that comes out of a
decompressor is taken from one budget.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, Protocol

from rtrace.bundle.data.archive import decompress_stream
from rtrace.errors import BundleError
from rtrace.privacy.searching.containers import Budget, PartsReader, UnsearchedError

Member = tuple[bytes, Iterator[bytes]]
"""The name of what is packed in a file, empty for what is merely compressed, and its content in parts."""

_PART = 1 << 20
_READ = 64 << 10
_IN_MEMORY = 8 << 20
_DIRECTORY = 16 << 20
_MEMORY_OF_XZ = 128 << 20
DAMAGE = (
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, BundleError, EOFError, OSError, ValueError),
    *(NotImplementedError, RuntimeError, struct.error, OverflowError, KeyError, IndexError, MemoryError),
)
"""What the modules for these formats raise where a file is not what it seems to be."""


class _Engine(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def open_members(kind: str, file: BinaryIO, budget: Budget) -> Iterator[Member]:
    """Yield what is packed in a file; read each before asking for the next one.

    Raises UnsearchedError and what DAMAGE names.
    """
    opened = _OPENERS.get(kind)
    if opened is None:
        raise UnsearchedError(f"what is packed as {kind} cannot be read")
    return opened(file, budget)


def _open_compressed(make: Callable[[], _Engine]) -> Callable[[BinaryIO, Budget], Iterator[Member]]:
    def opened(file: BinaryIO, budget: Budget) -> Iterator[Member]:
        yield b"", budget.take(_decompress(make, file))

    return opened


def _decompress(make: Callable[[], _Engine], file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of compressed streams that follow each other."""
    engine = make()
    begun = False
    while data := file.read(_READ):
        while data:
            part = engine.decompress(data, _PART)
            begun = True
            if part:
                yield part
            if engine.eof:
                data, engine, begun = engine.unused_data.lstrip(b"\0"), make(), False
                continue
            data = getattr(engine, "unconsumed_tail", b"")
            while not getattr(engine, "needs_input", True):
                yield engine.decompress(b"", _PART)
                if engine.eof:
                    data, engine, begun = engine.unused_data.lstrip(b"\0"), make(), False
                    break
    if begun and not engine.eof:
        raise EOFError


def _read_parts(file: IO[bytes]) -> Iterator[bytes]:
    while part := file.read(_READ):
        yield part


def _open_zstd(file: BinaryIO, budget: Budget) -> Iterator[Member]:
    yield b"", budget.take(decompress_stream(file))


def _open_tar(file: BinaryIO, budget: Budget) -> Iterator[Member]:
    limited = io.BufferedReader(PartsReader(budget.take(_read_parts(file))), _READ)
    with tarfile.open(fileobj=limited, mode="r|") as archive:
        for member in archive:
            budget.count()
            vars(archive)["members"] = []  # the module would keep all of them
            content = archive.extractfile(member) if member.isreg() else None
            yield member.name.encode("utf-8", "surrogateescape"), _read_parts(content) if content else iter(())


def _open_zip(file: BinaryIO, budget: Budget) -> Iterator[Member]:
    if not file.seekable():
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
            copy.writelines(_read_parts(file))
            yield from _open_zip(copy, budget)  # type: ignore[arg-type]
        return
    _check_directory(file)
    locked = unknown = False
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            budget.count()
            name = info.filename.encode("utf-8", "surrogateescape")
            if info.flag_bits & 1:
                locked = True
                yield name, iter(())
                continue
            try:
                content = archive.open(info)
            except NotImplementedError:
                unknown = True
                yield name, iter(())
                continue
            with content:
                yield name, budget.take(_read_parts(content))
    if locked or unknown:
        raise UnsearchedError(
            "something in it is encrypted" if locked else "something in it is compressed in a new way"
        )


def _check_directory(file: BinaryIO) -> None:
    """Raise UnsearchedError where the list of a zip file is larger than what may be held in memory."""
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(max(size - 65557, 0))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at >= 0 and len(tail) >= at + 16 and int.from_bytes(tail[at + 12 : at + 16], "little") > _DIRECTORY:
        raise UnsearchedError("too many files are packed in it")


def _open_git(file: BinaryIO, budget: Budget) -> Iterator[Member]:
    """Yield the objects of a pack of git (gitformat-pack(5)); of an object that is a difference, what it adds."""
    head = file.read(12)
    data = b""
    for number in range(int.from_bytes(head[8:12], "big")):
        budget.count()
        data = _fill(file, data, 64)
        at = 0
        kind = data[0] >> 4 & 7
        while data[at] & 0x80:
            at += 1
        at += 1
        if kind == 6:  # noqa: PLR2004 -- a difference to an object at an offset
            while data[at] & 0x80:
                at += 1
            at += 1
        elif kind == 7:  # noqa: PLR2004 -- a difference to an object of a name
            at += 20
        engine = zlib.decompressobj()
        parts, data = _inflate_one(engine, file, data[at:], budget)
        yield b"object %d" % (number + 1), iter(parts)


def _inflate_one(engine: zlib._Decompress, file: BinaryIO, data: bytes, budget: Budget) -> tuple[list[bytes], bytes]:
    """Return an object of a pack, and what was read of the next ones."""
    parts: list[bytes] = []
    while not engine.eof:
        data = data or file.read(_READ)
        if not data:
            raise EOFError
        parts += budget.take([engine.decompress(data, _PART)])
        data = engine.unconsumed_tail
    return parts, engine.unused_data


def _fill(file: BinaryIO, data: bytes, least: int) -> bytes:
    while len(data) < least:
        more = file.read(_READ)
        if not more:
            break
        data += more
    return data


_OPENERS: dict[str, Callable[[BinaryIO, Budget], Iterator[Member]]] = {
    "zip": _open_zip,
    "tar": _open_tar,
    "git": _open_git,
    "zstd": _open_zstd,
    "gzip": _open_compressed(lambda: zlib.decompressobj(31)),
    "zlib": _open_compressed(zlib.decompressobj),
    "bzip2": _open_compressed(bz2.BZ2Decompressor),
    "xz": _open_compressed(lambda: lzma.LZMADecompressor(lzma.FORMAT_AUTO, _MEMORY_OF_XZ)),
}
