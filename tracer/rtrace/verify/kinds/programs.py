"""ELF programs, libraries and object files, compared section by section."""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from rtrace.verify.kinds.contents import find_difference
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule

_MAGIC = b"\x7fELF"
_LEFT_OUT = {
    ".note.gnu.build-id": "build id",
    ".gnu_debuglink": "name of the file with debug information",
    ".gnu_debugaltlink": "name of the file with debug information",
    ".shstrtab": "names of sections",
}
_MOST_SECTIONS = 100_000
_NOTHING = 8
"""SHT_NOBITS: a section without content in the file."""


_ALLOCATED = 2
"""SHF_ALLOC: a section that is in memory when the program runs."""
_PARTS = ("header", "header, type and machine", "header, entry point", "header, flags", "segments")


class Section(NamedTuple):
    """A section: its type, flags and address in memory, and where in the file its content is."""

    kind: int
    flags: int
    address: int
    offset: int
    size: int


class Elf:
    """Compares the sections of a program but for its build id and what debuggers read."""

    name = "ELF program"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as a program does."""
        return head.startswith(_MAGIC)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the sections of one name. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        old, new = read_sections(expected), read_sections(found)
        heads = [_read_head(file) for file in (expected, found)]
        for place, one, other in zip(_PARTS, *heads, strict=True):
            if one != other:
                findings.differ(place, one, other)
        for name in [*old, *(name for name in new if name not in old)]:
            ignored = find_left_out(name.partition("#")[0])
            if name not in old or name not in new:
                if ignored:
                    findings.ignore(ignored)
                else:
                    findings.differ(f"section {name}", *("there" if name in one else "not there" for one in (old, new)))
                continue
            place = _find_difference((expected, found), (old[name], new[name]))
            if place is None:
                continue
            if ignored:
                findings.ignore(ignored)
            else:
                at = f"section {name}, byte {place}"
                shown = [
                    _read_at(file, one.offset + place, 16) for file, one in ((expected, old[name]), (found, new[name]))
                ]
                findings.differ(at, shown[0].hex(" "), shown[1].hex(" "))
        if findings.likeness == "equal" and not findings.ignored:
            findings.ignore("layout of the file")
        return findings.conclude()


def find_left_out(name: str) -> str | None:
    """Return what a difference in a section is that does not count, named so that its reader can judge; else None.

    Debug information holds folders of the build, and lines and names of the source: a program whose code is the same
    may be made of another source, of which ``.debug_line`` tells.
    """
    if not name.startswith((".debug", ".zdebug")):
        return _LEFT_OUT.get(name)
    lines = ", which tells the lines of the source" if name.endswith("debug_line") else ""
    return f"debug information ({name}{lines})"


def read_sections(file: BinaryIO) -> dict[str, Section]:
    """Return the sections of a program by name; further ones of a name have a number behind it."""
    ident = _read_at(file, 0, 16)
    wide, order = ident[4] == 2, "<" if ident[5] == 1 else ">"  # noqa: PLR2004 -- ELFCLASS64
    try:
        if wide:
            start, size, number, names = struct.unpack(f"{order}Q10xHHH", _read_at(file, 40, 24))
        else:
            start, size, number, names = struct.unpack(f"{order}I10xHHH", _read_at(file, 32, 20))
        form = f"{order}IIQQQQ" if wide else f"{order}IIIIII"
        if size < struct.calcsize(form) or not 0 < number <= _MOST_SECTIONS or names >= number:
            raise CannotCompareError("it has no sections that can be compared")
        rows = [struct.unpack(form, _read_at(file, start + at * size, struct.calcsize(form))) for at in range(number)]
        table = _read_at(file, rows[names][4], min(rows[names][5], 1 << 24))
    except struct.error:
        raise CannotCompareError("it is no intact ELF file") from None
    found: dict[str, Section] = {}
    for offset, kind, flags, address, place, length in rows:
        name = table[offset : table.find(b"\0", offset)].decode("utf-8", "replace")
        number = 2
        unique = name
        while unique in found:
            unique, number = f"{name}#{number}", number + 1
        where = address if flags & _ALLOCATED else 0
        if kind == _NOTHING:
            where += length << 64  # its size is all that there is of it
        found[unique] = Section(kind, flags, where, place, 0 if kind == _NOTHING else length)
    return found


def _find_difference(files: tuple[BinaryIO, BinaryIO], sections: tuple[Section, Section]) -> int | None:
    """Return the place of the first byte that differs in two sections; None where none does."""
    old, new = sections
    if old[:3] != new[:3]:
        return 0
    done = 0
    while done < max(old.size, new.size):
        one, other = (
            _read_at(file, part.offset + done, max(0, min(1 << 20, part.size - done)))
            for file, part in zip(files, sections, strict=True)
        )
        if one != other:
            return done + find_difference(one, other)
        if not one:
            return None
        done += len(one)
    return None


def _read_head(file: BinaryIO) -> tuple[str, ...]:
    """Return what the header and the segments say, but for where in the file things are: an item for each part."""
    ident = _read_at(file, 0, 16)
    wide, order = ident[4] == 2, "<" if ident[5] == 1 else ">"  # noqa: PLR2004 -- ELFCLASS64
    try:
        form = f"{order}HHIQQQIHHH" if wide else f"{order}HHIIIIIHHH"
        kind, machine, version, entry, start, _, flags, _, size, number = struct.unpack(
            form, _read_at(file, 16, struct.calcsize(form))
        )
        segments = []
        for at in range(number):
            row = _read_at(file, start + at * size, 56 if wide else 32)
            if wide:
                what, right, _, address, _, _, memory, _ = struct.unpack(f"{order}IIQQQQQQ", row)
            else:
                what, _, address, _, _, memory, right, _ = struct.unpack(f"{order}IIIIIIII", row)
            segments.append(f"{what:x} {right:x} {address:x} {memory:x}")
    except struct.error:
        raise CannotCompareError("it is no intact ELF file") from None
    return ident.hex(), f"{kind} {machine} {version}", f"{entry:x}", f"{flags:x}", "; ".join(segments)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
