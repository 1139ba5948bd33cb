"""Programs of a target: whether one is there, and a shell for a target that has none."""

from __future__ import annotations

import io
import os
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.replay.protocol import Target

BUSYBOX = b"/.rtrace/busybox"
SHELLS = (b"/bin/bash", b"/usr/bin/bash", b"/bin/sh", b"/usr/bin/sh")
HOST_BUSYBOX = Path("/bin/busybox")
PACKAGE = "busybox-static"

_MACHINES = {
    "x86_64": (2, 62),
    "i386": (1, 3),
    "i686": (1, 3),
    "aarch64": (2, 183),
    "riscv64": (2, 243),
    "ppc64le": (2, 21),
}
"""EI_CLASS and e_machine by the names of uname(2); see elf(5)."""
_PT_INTERP = 3
_HEADER = 64
_MOST_HEADERS = 1 << 10


class _ThereError(Exception):
    """The first bytes of a file came: it is there."""


class _Peeker(io.RawIOBase):
    """A file that wants nothing but to know that there is something to write."""

    def writable(self) -> bool:
        """Whether it can be written: yes."""
        return True

    def write(self, _part: object) -> NoReturn:
        """Say that there is something."""
        raise _ThereError


def has_program(target: Target, path: bytes) -> bool:
    """Whether a target has a file that is not empty at a path, behind symlinks if need be. Raises TargetError."""
    try:
        target.fetch(path, cast("BinaryIO", _Peeker()))
    except _ThereError:
        return True
    except FileNotFoundError:
        pass
    return False


def find_shell(target: Target) -> bytes | None:
    """Return the first shell that a target has, None where it has none."""
    return find_program(target, (*SHELLS, BUSYBOX))


def find_program(target: Target, paths: Iterable[bytes]) -> bytes | None:
    """Return the first of some paths at which a target has a file."""
    return next((path for path in paths if has_program(target, path)), None)


def put_shell(target: Target) -> bool:
    """Put this machine's static busybox into a target that has no shell; return whether it needed one.

    Raises TargetError where there is no busybox for it here.
    """
    if find_shell(target) is not None:
        return False
    architecture = target.runs()[0].architecture if target.runs() else os.uname().machine
    refuse_unfit(HOST_BUSYBOX, architecture)
    entry = Entry(BUSYBOX, FileType.REGULAR, 0o755, 0, 0, time.time_ns())
    with HOST_BUSYBOX.open("rb") as file:
        target.put(entry, file)
    return True


def refuse_unfit(busybox: Path, architecture: str) -> None:
    """Raise TargetError for a busybox that is not there, not static, or not for an architecture."""
    advice = f"install the package {PACKAGE} (Debian, Ubuntu), or unpack without --with-shell"
    try:
        header = read_header(busybox)
    except OSError as error:
        raise TargetError(
            f"cannot read {busybox}, which is to be the target's shell: {error.strerror}; {advice}"
        ) from None
    if header is None:
        raise TargetError(f"{busybox} is no program that a target could have for its shell; {advice}")
    machine, is_static = header
    if not is_static:
        raise TargetError(f"{busybox} needs libraries that the target may not have; {advice}")
    if machine != _MACHINES.get(architecture, machine):
        raise TargetError(
            f"{busybox} is not for {architecture}, as the target's programs are; unpack without --with-shell"
        )


def read_header(program: Path) -> tuple[tuple[int, int], bool] | None:
    """Return class and machine of a program, and whether it is static; None for what is no ELF program. See elf(5)."""
    with program.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER or header[:4] != b"\x7fELF" or header[5] != 1:
            return None
        is_wide = header[4] == 2  # noqa: PLR2004 -- ELFCLASS64
        machine = struct.unpack_from("<H", header, 18)[0]
        (start,) = struct.unpack_from("<Q" if is_wide else "<I", header, 32 if is_wide else 28)
        size, number = struct.unpack_from("<HH", header, 54 if is_wide else 42)
        if number > _MOST_HEADERS or size < 4:  # noqa: PLR2004
            return None
        file.seek(start)
        headers = file.read(size * number)
    kinds = [struct.unpack_from("<I", headers, at)[0] for at in range(0, len(headers) - size + 1, size)]
    return (header[4], machine), _PT_INTERP not in kinds
