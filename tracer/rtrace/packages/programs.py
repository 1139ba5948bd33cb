"""Whether a file is a program."""

from __future__ import annotations

import os

from rtrace.files.reading import open_at_once


def is_program(path: bytes) -> bool:
    """Whether a path leads to an executable ELF file."""
    if not os.access(path, os.X_OK):
        return False
    try:
        with open(path, "rb", buffering=0, opener=open_at_once) as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False
