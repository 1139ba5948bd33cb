"""The outer tar of a bundle, member by member."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle import tar

if TYPE_CHECKING:
    from collections.abc import Callable

_STEP = 1 << 20
_MOST = 1 << 30
"""Bytes that sendfile(2) copies in one call."""


def write_member(bundle: BinaryIO, name: str, content: bytes) -> None:
    """Write a member of the outer tar."""
    bundle.write(_member_header(name, len(content)) + content + tar.padding(len(content)))


def copy_member(bundle: BinaryIO, name: str, source: BinaryIO) -> None:
    """Write a member of the outer tar that is all of a file."""
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    bundle.write(_member_header(name, size))
    bundle.flush()
    copied = _send(source.fileno(), bundle.fileno(), size)
    source.seek(copied)
    bundle.seek(0, os.SEEK_END)
    shutil.copyfileobj(source, bundle, _STEP)
    bundle.write(tar.padding(size))


def _send(source: int, target: int, size: int) -> int:
    """Let the kernel copy a file to where another one ends; tell how much of it that was. Raises OSError."""
    send: Callable[[int, int, int, int], int] | None = getattr(os, "sendfile", None)
    copied = 0
    while send is not None and copied < size:
        try:
            length = send(target, source, copied, min(size - copied, _MOST))
        except OSError:
            if copied:
                raise
            return 0  # not between files on this system: it is copied by hand
        if not length:
            break
        copied += length
    return copied


def _member_header(name: str, size: int) -> bytes:
    return tar.header(name.encode(), tar.REGULAR, size)
