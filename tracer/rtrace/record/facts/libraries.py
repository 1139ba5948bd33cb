"""What a shared object says of itself: name, version and build id."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.path_text import to_bytes
from rtrace.record.facts.elf.notes import read_build_id, read_dynamic
from rtrace.record.facts.elf.sections import ElfFile

if TYPE_CHECKING:
    from rtrace.record.document import LibraryFact

_VERSION = r"\.so\.([0-9][0-9A-Za-z.]*)$|-([0-9]+(?:\.[0-9A-Za-z]+)+)\.so(?:\.[0-9.]+)?$"


def read_shared_object(path: str, *, package: str | None = None, version: str | None = None) -> LibraryFact:
    """Return what is known of a shared object from its file.

    Its version is that of the ``package`` that owns it; without one that of its name, links resolved. A name that says
    more than the soname does counts: `libz.so.1` leads to `libz.so.1.2.13`.
    """
    fact: LibraryFact = {
        "name": os.path.basename(path), "path": path, "version": find_version(path) if package is None else version,
        "build_id": None, "language": "C", "package": package,
    }  # fmt: skip
    try:
        with ElfFile(to_bytes(path)) as elf:
            fact["build_id"] = read_build_id(elf)
            fact["name"] = read_dynamic(elf).soname or fact["name"]
    except (OSError, ValueError):  # gone or unreadable by now, or no ELF file
        pass
    return fact


def find_version(path: str) -> str | None:
    """Return the version in the name of a shared object, or of what its name leads to."""
    found = [match[1] or match[2] for name in (os.path.realpath(path), path) if (match := re.search(_VERSION, name))]
    return found[0] if found else None
