"""The first compilation unit of DWARF's debugging information: its producer and its language; see dwarfstd.org."""

from __future__ import annotations

import struct
from typing import NamedTuple

from rtrace.record.facts.elf.sections import ElfFile

_AT_LANGUAGE, _AT_PRODUCER = 0x13, 0x25
_VERSIONS = range(2, 6)
_WIDE = 0xFFFFFFFF
_UNIT_LIMIT = 64 << 10
_STRINGS_LIMIT = 32 << 20
_LONGEST = 64 << 10
_MOST_ATTRIBUTES = 200
_SKELETONS = {4: 8, 5: 8, 2: 8 + 8, 6: 8 + 8}  # DW_UT_skeleton, split_compile, type, split_type: what their headers add

_LANGUAGES = {
    0x01: "C", 0x02: "C", 0x0C: "C", 0x1D: "C", 0x2C: "C", 0x04: "C++", 0x1A: "C++", 0x21: "C++", 0x2B: "C++",
    0x07: "Fortran", 0x08: "Fortran", 0x0E: "Fortran", 0x22: "Fortran", 0x23: "Fortran", 0x2D: "Fortran", 0x03: "Ada",
    0x0D: "Ada", 0x2E: "Ada", 0x09: "Pascal", 0x0A: "Modula-2", 0x10: "Objective-C", 0x11: "Objective-C++", 0x13: "D",
    0x16: "Go", 0x18: "Haskell", 0x1B: "OCaml", 0x1C: "Rust", 0x1E: "Swift", 0x1F: "Julia", 0x27: "Zig",
    0x8001: "assembler",
}  # fmt: skip

# Bytes of a form; those of variable length are read one by one below.
_FIXED = {
    0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x19: 0, 0x1C: 4, 0x1E: 16,
    0x20: 8, 0x21: 0, 0x24: 8, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4,
}  # fmt: skip
_FORM_BLOCK2, _FORM_BLOCK4, _FORM_STRING, _FORM_BLOCK, _FORM_BLOCK1 = 0x03, 0x04, 0x08, 0x09, 0x0A
_FORM_ADDRESS, _FORM_STRP, _FORM_LINE_STRP, _FORM_REF_ADDRESS, _FORM_SECTION = 0x01, 0x0E, 0x1F, 0x10, 0x17
_FORM_IMPLICIT, _FORM_STRX, _FORM_EXPRESSION = 0x21, 0x1A, 0x18
_OFFSETS = {_FORM_STRP, _FORM_LINE_STRP, _FORM_REF_ADDRESS, _FORM_SECTION, 0x1D}
_VARIABLE = {0x0D, 0x0F, 0x15, _FORM_STRX, 0x1B, 0x22, 0x23}  # sdata, udata and the like: LEB128
_STRING_INDEXES = {_FORM_STRX: 0, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4}


class Producer(NamedTuple):
    """What compiled a unit, in its own words with its options, and the language that the unit is written in."""

    text: str | None
    language: str | None


def read_producer(elf: ElfFile) -> Producer:
    """Return what is said of the first unit; nothing where there is no debugging information, or a broken one.

    Raises OSError.
    """
    try:
        return _read_unit(elf)
    except (struct.error, IndexError):  # what it says does not fit into what there is
        return Producer(None, None)


def _read_unit(elf: ElfFile) -> Producer:
    unit = elf.read(".debug_info", _UNIT_LIMIT)
    if not unit:
        return Producer(None, None)
    reader = _Reader(unit, elf.order)
    offset_size = 4
    if reader.number(4) == _WIDE:
        reader.place += 8
        offset_size = 8
    version = reader.number(2)
    if version not in _VERSIONS:
        return Producer(None, None)
    if version >= 5:  # noqa: PLR2004 -- where the order of the header's fields has changed
        kind, address_size = reader.number(1), reader.number(1)
        abbreviations = reader.number(offset_size)
        reader.place += _SKELETONS.get(kind, 0)
    else:
        abbreviations = reader.number(offset_size)
        address_size = reader.number(1)
    return _Unit(elf, reader, offset_size, address_size, version).read(abbreviations)


class _Reader:
    """Reads numbers and strings from bytes, and moves on; raises IndexError at their end."""

    def __init__(self, content: bytes, order: str, place: int = 0) -> None:
        self.content = content
        self.order = "little" if order == "<" else "big"
        self.place = place

    def number(self, size: int) -> int:
        part = self.content[self.place : self.place + size]
        if len(part) < size:
            raise IndexError
        self.place += size
        return int.from_bytes(part, "little" if self.order == "little" else "big")

    def variable(self) -> int:
        """Read a LEB128; of a signed one, only the length is right, which is all that is needed of it."""
        value = shift = 0
        while True:
            byte = self.content[self.place]
            self.place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 70:  # noqa: PLR2004 -- more bits than any number here
                raise IndexError

    def string(self) -> bytes:
        end = self.content.index(b"\0", self.place) if b"\0" in self.content[self.place :] else len(self.content)
        text = self.content[self.place : end]
        self.place = end + 1
        return text


class _Unit:
    """The first entry of a unit, whose attributes are read in the order that its abbreviation has them."""

    def __init__(self, elf: ElfFile, reader: _Reader, offset_size: int, address_size: int, version: int) -> None:
        self.elf = elf
        self.reader = reader
        self.offset_size = offset_size
        self.address_size = address_size
        self.version = version

    def read(self, abbreviations: int) -> Producer:
        code = self.reader.variable()
        table = _Reader(self.elf.read(".debug_abbrev"), self.elf.order, abbreviations)
        while (found := table.variable()) != code:
            if not found:
                return Producer(None, None)
            table.variable()
            table.place += 1
            while any((table.variable(), self._skip_form(table))):
                pass
        table.variable()
        table.place += 1
        text = language = None
        for _ in range(_MOST_ATTRIBUTES):
            attribute, form = table.variable(), table.variable()
            if not attribute and not form:
                break
            implicit = table.variable() if form == _FORM_IMPLICIT else None
            if attribute == _AT_PRODUCER:
                text = self._string(form)
            elif attribute == _AT_LANGUAGE:
                number = implicit if implicit is not None else self._number(form)
                language = _LANGUAGES.get(number)
            else:
                self._skip(form)
        return Producer(text[:_LONGEST].decode("utf-8", "replace") if text else None, language)

    @staticmethod
    def _skip_form(table: _Reader) -> int:
        form = table.variable()
        if form == _FORM_IMPLICIT:
            table.variable()
        return form

    def _number(self, form: int) -> int:
        if form in _VARIABLE:
            return self.reader.variable()
        if form not in _FIXED:
            raise IndexError
        return self.reader.number(_FIXED[form])

    def _string(self, form: int) -> bytes | None:
        if form == _FORM_STRING:
            return self.reader.string()
        if form in {_FORM_STRP, _FORM_LINE_STRP}:
            section = ".debug_str" if form == _FORM_STRP else ".debug_line_str"
            place = self.reader.number(self.offset_size)
            return self._look_up(section, place)
        if form in _STRING_INDEXES:
            index = self.reader.variable() if form == _FORM_STRX else self.reader.number(_STRING_INDEXES[form])
            # The base would be in DW_AT_str_offsets_base; that of a first unit is behind the section's header.
            base = 8 if self.offset_size == 4 else 16  # noqa: PLR2004
            offsets = _Reader(self.elf.read(".debug_str_offsets"), self.elf.order, base + index * self.offset_size)
            return self._look_up(".debug_str", offsets.number(self.offset_size))
        self._skip(form)
        return None

    def _look_up(self, section: str, place: int) -> bytes:
        strings = self.elf.read(section, _STRINGS_LIMIT)
        if place >= len(strings):
            raise IndexError
        end = strings.find(b"\0", place)
        return strings[place : end if end >= 0 else len(strings)]

    def _skip(self, form: int) -> None:
        reader = self.reader
        if form in _FIXED:
            reader.place += _FIXED[form]
        elif form in _VARIABLE:
            reader.variable()
        elif form == _FORM_ADDRESS or (form == _FORM_REF_ADDRESS and self.version == 2):  # noqa: PLR2004
            reader.place += self.address_size
        elif form in _OFFSETS:
            reader.place += self.offset_size
        elif form == _FORM_STRING:
            reader.string()
        elif form in {_FORM_BLOCK, _FORM_EXPRESSION}:
            reader.place += reader.variable()
        elif form in {_FORM_BLOCK1, _FORM_BLOCK2, _FORM_BLOCK4}:
            reader.place += reader.number({_FORM_BLOCK1: 1, _FORM_BLOCK2: 2, _FORM_BLOCK4: 4}[form])
        else:
            raise IndexError  # a form that came after DWARF 5
