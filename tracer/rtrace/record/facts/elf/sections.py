"""The sections of an ELF file, by name; see elf(5)."""

import os
import struct
import zlib
from typing import BinaryIO, NamedTuple

from rtrace.files.reading import open_at_once

LARGEST_SECTION = 8 << 20
"""Bytes of a section that are read; of a longer one, its beginning."""
_MOST_SECTIONS = 10_000
_LARGEST_NAMES = 1 << 20
_NO_BITS = 8  # SHT_NOBITS
_COMPRESSED = 0x800  # SHF_COMPRESSED
_ZLIB = 1  # ELFCOMPRESS_ZLIB
_IDENT = 16

MACHINES = {3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64",
            243: "riscv64", 258: "loongarch64"}  # fmt: skip


class Section(NamedTuple):
    """Where a section lies in the file."""

    kind: int
    flags: int
    offset: int
    size: int


class ElfFile:
    """An open ELF file; as a block, it is closed in the end."""

    def __init__(self, path: str | bytes) -> None:
        """Open it. Raises OSError, and ValueError for what is no ELF file."""
        self._file: BinaryIO = open(path, "rb", opener=open_at_once)  # noqa: SIM115 -- closed by the block
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def _read_header(self) -> None:
        header = self._file.read(64)
        if header[:4] != b"\x7fELF" or header[4:5] not in {b"\1", b"\2"} or header[5:6] not in {b"\1", b"\2"}:
            raise ValueError("this is no ELF file")
        self.bits = 32 * header[4]
        self.order = "<" if header[5] == 1 else ">"
        wide = self.bits == 64  # noqa: PLR2004
        try:
            (self.kind, machine, _version, _entry, _segments, at, _flags, _size, _segment_size, _segment_count, size,
             number, names) = struct.unpack_from(self.order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
                                                 header, _IDENT)  # fmt: skip
        except struct.error:
            raise ValueError("this ELF file is cut off") from None
        self.machine = MACHINES.get(machine)
        row = struct.Struct(self.order + ("IIQQQQ" if wide else "IIIIII"))
        self.sections: dict[str, Section] = {}
        if not at or size < row.size or number > _MOST_SECTIONS:
            return
        table = self._read(at, size * number)
        rows = [row.unpack_from(table, place) for place in range(0, len(table) - row.size + 1, size)]
        if names >= len(rows):
            return
        strings = self._read(rows[names][4], min(rows[names][5], _LARGEST_NAMES))
        for name, kind, flags, _address, offset, length in rows:
            end = strings.find(b"\0", name)
            if name < len(strings) and end >= 0:
                self.sections.setdefault(strings[name:end].decode("latin-1"), Section(kind, flags, offset, length))

    def read(self, name: str, limit: int = LARGEST_SECTION) -> bytes:
        """Return the content of a section, or its beginning; nothing where there is none. Raises OSError."""
        section = self.sections.get(name)
        if section is None or section.kind == _NO_BITS:
            return b""
        content = self._read(section.offset, min(section.size, limit))
        if not section.flags & _COMPRESSED:
            return content
        header = 24 if self.bits == 64 else 12  # noqa: PLR2004
        if len(content) < header or struct.unpack_from(self.order + "I", content)[0] != _ZLIB:
            return b""
        try:
            return zlib.decompressobj().decompress(content[header:], limit)
        except zlib.error:
            return b""

    def _read(self, offset: int, length: int) -> bytes:
        if offset >= self.size:
            return b""
        self._file.seek(offset)
        return self._file.read(min(length, self.size - offset))

    def __enter__(self) -> "ElfFile":
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()
