"""What the file systems of a folder can do, tried on files without a name, which go when they are closed."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rtrace.linux.descriptors import FICLONE
from rtrace.printable import printable
from rtrace.replay.protocol import Ability

_ACL = struct.pack("<IHHIHHIHHI", 2, 0x01, 6, 0xFFFFFFFF, 0x04, 4, 0xFFFFFFFF, 0x20, 4, 0xFFFFFFFF)
"""rw-r--r--, as posix_acl_xattr.h has it: a version, then tag, permissions and id of owner, group and others."""
_HOLE = 1 << 20


def examine_file_systems(folders: Iterator[Path] | tuple[Path, ...]) -> Iterator[Ability]:
    """Try each feature in each folder; one that is the same as an earlier one is left out."""
    seen = set()
    for folder in folders:
        identity = os.path.realpath(folder)
        if identity not in seen:
            seen.add(identity)
            yield from examine_folder(folder)


def examine_folder(folder: Path) -> Iterator[Ability]:
    """Try each feature in one folder."""
    place = printable(os.fsencode(folder.absolute()))
    try:
        with nameless_file(folder) as file:
            yield tell("files without a name", place, try_nameless(folder), "a killed process leaves none of these")
            yield tell("reflinks", place, attempt(clone, file, folder), "copies of changed files take no space")
            yield tell("sparse files", place, attempt(find_hole, file), "holes stay holes")
            yield tell("extended attributes", place, attempt(os.setxattr, file, b"user.rtrace", b"1"), "they are kept")
            yield tell("ACLs", place, attempt(os.setxattr, file, b"system.posix_acl_access", _ACL), "they are kept")
    except OSError as error:
        detail = f"nothing can be written in {place}: {error.strerror}"
        yield Ability("writing files", works=False, detail=detail, part="files")


def tell(feature: str, place: str, problem: str | None, use: str) -> Ability:
    """Return what was found out."""
    return Ability(f"{feature} in {place}", works=problem is None, detail=problem or use, part="files")


@contextmanager
def nameless_file(folder: Path) -> Iterator[int]:
    """Yield a descriptor of a new file that has no name. Raises OSError."""
    with tempfile.TemporaryFile(dir=folder) as file:
        yield file.fileno()


def attempt(action: Callable[..., object], *arguments: object) -> str | None:
    """Try something; return why it failed, None when it did not."""
    try:
        action(*arguments)
    except OSError as error:
        return error.strerror or str(error)
    return None


def try_nameless(folder: Path) -> str | None:
    """Make a file that never had a name; see open(2), O_TMPFILE."""
    return attempt(lambda: os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)))


def clone(file: int, folder: Path) -> None:
    """Make a reflink of a file in the same folder. Raises OSError."""
    os.write(file, bytes(4096))
    with nameless_file(folder) as other:
        fcntl.ioctl(other, FICLONE, file)


def find_hole(file: int) -> None:
    """Make a hole, and look for it. Raises OSError."""
    os.ftruncate(file, _HOLE)
    if os.lseek(file, 0, os.SEEK_HOLE) >= _HOLE or os.fstat(file).st_blocks * 512 >= _HOLE:
        raise OSError(errno.EOPNOTSUPP, "holes take space, or cannot be found")
