"""Programs with a description in them: those of Go, and of Rust's cargo.

Go writes the section ``.go.buildinfo`` (package debug/buildinfo), ``cargo auditable`` a section ``.dep-v0`` (zlib,
JSON); ``cargo install`` keeps ``.crates2.json`` beside the folder ``bin``. Needs pyelftools, which reads any ELF file.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from rtrace.files.reading import open_at_once
from rtrace.packages.model import Installed, PathManager
from rtrace.packages.programs import is_program

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

_GO_MAGIC = b"\xff Go buildinf:"
_GO_HEADER = 32
_GO_INLINE = 2
_GO_SENTINEL = 16
_LIMIT = 8 << 20
"""Bytes of the largest section that is read; larger ones are ignored."""
_ELF_HEADER = 64


class _Layout(NamedTuple):
    """Where an ELF header describes the table of sections, and a row of that table a section's place and length."""

    header: struct.Struct
    header_at: int
    section: struct.Struct
    section_at: int


_LAYOUTS = {
    bytes((1 + wide, 1 + big)): _Layout(
        struct.Struct("<>"[big] + "IQ"[wide] + "IHHHHHH"),
        (32, 40)[wide],
        struct.Struct("<>"[big] + ("II", "QQ")[wide]),
        (16, 24)[wide],
    )
    for wide in (False, True)
    for big in (False, True)
}
"""By class (32 or 64 bits) and byte order, as the header has them."""
_CRATE = re.compile(r"(\S+) (\S+) \((.*)\)")


class Binaries:
    """The programs among some paths: files that may be executed, whose names have no ending."""

    def __init__(self, programs: Iterable[bytes]) -> None:
        self._programs = frozenset(programs)

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that are programs and name the package that they were built from.

        A program of Go that was built from a folder, without a version, has none.
        """
        owners: dict[bytes, Installed] = {}
        crates: dict[bytes, dict[bytes, Installed]] = {}
        for path in self._programs.intersection(paths):
            if not is_program(path):
                continue
            folder, name = os.path.split(path)
            owner = None
            if os.path.basename(folder) == b"bin":
                prefix = os.path.dirname(folder)
                if prefix not in crates:
                    crates[prefix] = dict(_read_crates(prefix))
                owner = crates[prefix].get(name)
            owner = owner or _describe(path)
            if owner is not None:
                owners[path] = owner
        return owners


def _describe(path: bytes) -> Installed | None:
    """Describe a program by what its compiler wrote; most have nothing of this, which a look at a few bytes tells."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            names = _read_names(file)
            if names is not None and not any(name.encode() in names for name, _ in _SECTIONS):
                return None
            return _read_sections(file)
    except OSError:
        return None


def _read_names(file: BinaryIO) -> bytes | None:
    """Read the names of an ELF file's sections; None where that takes more than this. See elf(5). Raises OSError."""
    header = file.read(_ELF_HEADER)
    layout = _LAYOUTS.get(header[4:6])
    if layout is None or len(header) < _ELF_HEADER:
        return None
    start, _, _, _, _, size, number, index = layout.header.unpack_from(header, layout.header_at)
    if not (start and 0 < index < number):
        return None
    try:
        file.seek(start + index * size + layout.section_at)
        begin, length = layout.section.unpack(file.read(layout.section.size))
        file.seek(begin)
        names = file.read(min(length, _LIMIT))
    except (struct.error, OverflowError, ValueError):
        return None
    return names if len(names) == length else None


def _read_sections(file: BinaryIO) -> Installed | None:
    import zlib

    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(file)
        architecture = str(elf.get_machine_arch())
        for name, read in _SECTIONS:
            section = elf.get_section_by_name(name)
            if section is not None and section.data_size <= _LIMIT:
                return read(section.data(), architecture)
    except (OSError, ELFError, ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error, RecursionError):
        return None
    return None


def _read_go(data: bytes, architecture: str) -> Installed | None:
    """Read what Go 1.18 and later wrote: a header, then two strings with their lengths as varints."""
    start = data.find(_GO_MAGIC)
    if start < 0 or not data[start + len(_GO_MAGIC) + 1] & _GO_INLINE:
        return None
    toolchain, position = _read_string(data, start + _GO_HEADER)
    information, _ = _read_string(data, position)
    lines = [line.split("\t") for line in information[_GO_SENTINEL:-_GO_SENTINEL].decode(errors="replace").split("\n")]
    for line in lines:
        if line[0] == "mod" and line[2] != "(devel)":
            digest = f", {line[3]}" if line[3:] and line[3] else ""
            return Installed(line[1], line[2], architecture, "go", f"built with {toolchain.decode()}{digest}")
    return None


def _read_string(data: bytes, position: int) -> tuple[bytes, int]:
    length = shift = 0
    while True:
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return data[position : position + length], position + length


def _read_rust(data: bytes, architecture: str) -> Installed | None:
    import json
    import zlib

    content = zlib.decompressobj().decompress(data, _LIMIT)
    for package in json.loads(content)["packages"]:
        if package.get("root"):
            return Installed(package["name"], package["version"], architecture, "cargo", str(package.get("source", "")))
    return None


def _read_crates(prefix: bytes) -> Iterator[tuple[bytes, Installed]]:
    """Yield what ``cargo install`` put into a prefix, by the names of the programs."""
    import json

    try:
        with open(os.path.join(prefix, b".crates2.json"), "rb") as file:
            installs: dict[str, Any] = json.load(file)["installs"]
        for crate, facts in sorted(installs.items()):
            match = _CRATE.fullmatch(crate)
            if match:
                owner = Installed(match[1], match[2], str(facts.get("target") or "any"), "cargo", match[3])
                yield from ((os.fsencode(name), owner) for name in facts["bins"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


_SECTIONS: tuple[tuple[str, Callable[[bytes, str], Installed | None]], ...] = (
    (".go.buildinfo", _read_go),
    (".dep-v0", _read_rust),
)

BINARIES = PathManager("binaries", lambda unowned: unowned.has_program, lambda unowned: Binaries(unowned.programs))
