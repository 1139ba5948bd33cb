"""Bundles of ReproZip that mean harm, made to order."""

import struct
from pathlib import Path

from reprozip_making import (
    Member,
    make_config,
    make_parts,
    write_tar,
)


def make(path: Path, *members: Member, config: str | bytes | None = None, version: int = 2) -> Path:
    """Write a bundle of these members and the usual rest."""
    return write_tar(path, make_parts(config or make_config(), members, b"" if version == 1 else None, version=version))


def hide_directory(content: bytes, size: int, *, moved: bool = False) -> bytes:
    """Put records of zip64 before the end of a zip: they alone tell how large its directory is."""
    end = content.rindex(b"PK\5\6")
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    return content[:end] + record + (b"x" if moved else b"") + locator + content[end:]
