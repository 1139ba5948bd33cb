"""The build id, the compilers' names, and what the dynamic linker is told; see elf(5)."""

import struct
from typing import NamedTuple

from rtrace.record.facts.elf.sections import ElfFile

_NT_GNU_BUILD_ID = 3
_LONGEST_ID = 64
_LONGEST_COMMENT = 64 << 10
_MOST_TAGS = 10_000
_DT_NEEDED, _DT_SONAME = 1, 14


class Dynamic(NamedTuple):
    """The name that a shared object has for itself, and those of the ones that it needs."""

    soname: str | None
    needed: list[str]


def read_build_id(elf: ElfFile) -> str | None:
    """Return the build id in hexadecimal. Raises OSError."""
    for name in (".note.gnu.build-id", ".note"):
        content = elf.read(name, 64 << 10)
        place = 0
        header = struct.Struct(elf.order + "III")
        while place + header.size <= len(content):
            name_size, size, kind = header.unpack_from(content, place)
            start = place + header.size + (name_size + 3 & ~3)
            owner = content[place + header.size : place + header.size + name_size]
            if owner == b"GNU\0" and kind == _NT_GNU_BUILD_ID and 0 < size <= _LONGEST_ID:
                identifier = content[start : start + size]
                return identifier.hex() if len(identifier) == size else None
            place = start + (size + 3 & ~3)
    return None


def read_compilers(elf: ElfFile) -> list[str]:
    """Return what compilers and linkers have left in `.comment`, each once, in order. Raises OSError."""
    texts = elf.read(".comment", _LONGEST_COMMENT).split(b"\0")
    return list(dict.fromkeys(text.decode("utf-8", "replace").strip() for text in texts if text.strip()))


def read_dynamic(elf: ElfFile) -> Dynamic:
    """Return what the section `.dynamic` says of names. Raises OSError."""
    wide = elf.bits == 64  # noqa: PLR2004
    row = struct.Struct(elf.order + ("qQ" if wide else "iI"))
    content = elf.read(".dynamic", row.size * _MOST_TAGS)
    strings = elf.read(".dynstr")
    soname, needed = None, []
    for tag, value in row.iter_unpack(content[: len(content) // row.size * row.size]):
        end = strings.find(b"\0", value) if value < len(strings) else -1
        if end < 0 or tag not in {_DT_NEEDED, _DT_SONAME}:
            continue
        name = strings[value:end].decode("utf-8", "surrogateescape")
        if tag == _DT_SONAME:
            soname = name
        else:
            needed.append(name)
    return Dynamic(soname, needed)
