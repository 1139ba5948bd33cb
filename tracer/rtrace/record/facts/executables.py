"""What a program's own file says of it: build id, compiler, options and language."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.path_text import to_bytes
from rtrace.record.facts.elf.notes import read_build_id, read_compilers, read_dynamic
from rtrace.record.facts.elf.sections import ElfFile

if TYPE_CHECKING:
    from rtrace.record.document import ExecutableFact

_PROGRAM_FOLDERS = frozenset({"bin", "sbin", "libexec"})
_FOLDER_VERSION = r"(?:[A-Za-z][\w+]*[-_@])*v?([0-9]+(?:\.[0-9]+)+(?:[-.]?(?:rc|beta|alpha|p)?[0-9]+)?)(?:-\S*)?"
_OPTIONS = r"\s-"
_BY_LIBRARY = (("libgfortran.so", "Fortran"), ("libifcore", "Fortran"), ("libflang", "Fortran"), ("libgo.so", "Go"),
               ("libgnat", "Ada"), ("libHS", "Haskell"), ("libjulia", "Julia"), ("libphobos", "D"),
               ("libstdc++.so", "C++"), ("libc++.so", "C++"))  # fmt: skip
_BY_COMPILER = (("rustc", "Rust"), ("GHC", "Haskell"), ("GNAT", "Ada"), ("ldc", "D"), ("zig", "Zig"))


def read_executable(path: str, *, package: str | None = None, version: str | None = None) -> ExecutableFact:
    """Return what is known of a program from its file; nothing is ever started to ask it.

    ``package`` owns it (kind:name), and ``version`` is the package's; without one it is that of the folder that the
    program was installed into. What is left open is for who has seen the run:
    the digest, and how often it was executed.
    """
    fact: ExecutableFact = {
        "path": path, "name": os.path.basename(path), "version": version or find_version(path), "build_id": None,
        "sha256": None,
        "size": None, "compiler": None, "compiler_flags": None, "language": None, "package": package, "executions": 0,
    }  # fmt: skip
    try:
        fact["size"] = os.stat(path).st_size
        with ElfFile(to_bytes(path)) as elf:
            _add_facts(fact, elf)
    except (
        OSError,
        ValueError,
    ):  # gone or unreadable by now, or a script: then its interpreter is a program of its own
        pass
    return fact


def find_version(path: str) -> str | None:
    """Return the version in the name of a program's folder, as `gcc/12.3.0/bin/gcc` and `node-v18.1.0/bin/node`."""
    folder = os.path.dirname(path)
    if os.path.basename(folder) in _PROGRAM_FOLDERS:
        folder = os.path.dirname(folder)
    name = os.path.basename(folder)
    match = re.fullmatch(_FOLDER_VERSION, name) if "." in name else None
    return match[1] if match else None


def _add_facts(fact: ExecutableFact, elf: ElfFile) -> None:
    fact["build_id"] = read_build_id(elf)
    compilers = read_compilers(elf)
    fact["compiler"] = "; ".join(compilers) or None
    told = None
    if ".debug_info" in elf.sections:  # few programs still have it
        from rtrace.record.facts.elf.dwarf import read_producer

        producer = read_producer(elf)
        told = producer.language
        if producer.text:
            name, flags = split_producer(producer.text)
            fact["compiler"] = fact["compiler"] or name
            fact["compiler_flags"] = flags
    fact["language"] = find_language(elf, told, compilers)


def split_producer(producer: str) -> tuple[str, str | None]:
    """Return the compiler's name and its options from what DW_AT_producer holds of both."""
    match = re.search(_OPTIONS, producer)
    if match is None:
        return producer, None
    return producer[: match.start()], producer[match.start() :].strip()


def find_language(elf: ElfFile, told: str | None, compilers: list[str]) -> str | None:
    """Return the language that a program is written in: as it is told, else by its libraries, else by its compiler.

    Raises OSError. The first unit of a program may be the C library's start-up code, so libraries count more than that.
    """
    if ".go.buildinfo" in elf.sections or ".note.go.buildid" in elf.sections:
        return "Go"
    if ".dep-v0" in elf.sections:
        return "Rust"
    needed = read_dynamic(elf).needed
    by_library = next((name for sign, name in _BY_LIBRARY if any(lib.startswith(sign) for lib in needed)), None)
    if told not in {None, "C", "assembler"}:
        return told
    by_compiler = next((name for sign, name in _BY_COMPILER if any(sign in text for text in compilers)), None)
    return by_library or by_compiler or told or ("C" if compilers and needed else None)
