"""Put a file into a container, and get one out of it, whether it runs or not.

A tar with three members makes a file appear whole: the content under a name of our own, a hard link to it at its path,
and an empty file under our name. The engine begins with the second when it has read all of the first.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from typing import IO, BinaryIO

from rtrace.bundle.entry import Entry
from rtrace.errors import TargetError
from rtrace.files.symlinks import MOST_LINKS
from rtrace.files.workspaces import temporary_folder
from rtrace.printable import printable
from rtrace_unpackers.engines.container.exported import REPLACED
from rtrace_unpackers.engines.container.restoring import end_stray
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Thing
from rtrace_unpackers.engines.image.dockerfile import FOLDER
from rtrace_unpackers.engines.image.rootfs import make_header, make_own_header
from rtrace_unpackers.files.layout import parent_of

IN_THE_MAKING = f"{FOLDER}/put"
PART = 1 << 20


def put_file(engine: Engine, container: Thing, entry: Entry, content: BinaryIO, *, in_volume: bool) -> None:
    """Put a file at an entry's path; ``in_volume``, it is written in its place. Raises TargetError."""
    refuse_replaced(entry.path)
    end_stray(engine, container)
    refuse_obstacles(engine, container.id, entry.path)
    with sized(content) as (file, size):

        def write(stream: IO[bytes]) -> None:
            with tarfile.open(
                fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
            ) as tar:
                whole = make_header(entry, tarfile.REGTYPE, size=size)
                if in_volume:  # to which no link leads
                    tar.addfile(whole, file)
                    return
                whole.name = IN_THE_MAKING[1:]
                tar.addfile(make_own_header(FOLDER, tarfile.DIRTYPE, 0))
                tar.addfile(whole, file)
                tar.addfile(make_header(entry, tarfile.LNKTYPE, link=IN_THE_MAKING[1:].encode()))
                tar.addfile(make_own_header(IN_THE_MAKING, tarfile.REGTYPE, 0))

        engine.put(container.id, write)


def refuse_replaced(path: bytes) -> None:
    """Raise TargetError for a file that an engine replaces by its own in every container."""
    if path in REPLACED:
        raise TargetError(f"a container has the engine's own {printable(path)}, which cannot be replaced; use chroot")


@contextlib.contextmanager
def sized(content: BinaryIO) -> Iterator[tuple[BinaryIO, int]]:
    """Yield what brings a content, and how many bytes that is; what does not say so is read whole first."""
    try:
        status = os.fstat(content.fileno())
        size = status.st_size - content.tell() if stat.S_ISREG(status.st_mode) else None
    except (OSError, AttributeError):  # it is in memory
        size = None
    if size is not None:
        yield content, size
        return
    with tempfile.TemporaryFile(dir=temporary_folder()) as file:
        while part := content.read(PART):
            file.write(part)
        size = file.tell()
        file.seek(0)
        yield file, size


def refuse_obstacles(engine: Engine, container: str, path: bytes) -> None:
    """Raise TargetError where a symlink is on the way to a path, or a folder has it."""
    way: list[bytes] = []
    above = parent_of(path)
    while above != b"/":
        way.insert(0, above)
        above = parent_of(above)
    for place in way:
        found = look_at(engine, container, place)
        if found is None:
            return
        if not found.isdir():
            kind = "a symbolic link" if found.issym() else "no folder"
            raise TargetError(
                f"cannot put {printable(path)} into the container: {printable(place)} is {kind}; "
                "`rtrace reset` brings the packed state back"
            )
    found = look_at(engine, container, path)
    if found is not None and found.isdir():
        raise TargetError(
            f"cannot put {printable(path)} into the container: there is a folder in its way; "
            "`rtrace reset` brings the packed state back"
        )


def look_at(engine: Engine, container: str, path: bytes) -> tarfile.TarInfo | None:
    """Return what is at a path of a container, None where nothing is. Raises TargetError.

    Podman follows a symbolic link, and tells it by the name alone that it gives to what it found.
    """
    try:
        with engine.begin_copy(container, os.fsdecode(path)) as stream:
            found = open_tar(stream).next()
    except FileNotFoundError:
        return None
    if found is not None and os.path.basename(os.fsencode(found.name.rstrip("/"))) != os.path.basename(path):
        found.type = tarfile.SYMTYPE
    return found


def open_tar(stream: IO[bytes]) -> tarfile.TarFile:
    """Read a tar as it comes."""
    return tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape")


def fetch_file(engine: Engine, container: str, path: bytes, into: BinaryIO) -> None:
    """Copy the content of a file of a container. Symlinks are followed, in the container alone.

    Raises FileNotFoundError, and TargetError for what is no regular file.
    """
    place = path
    for _ in range(MOST_LINKS):
        target = copy_out(engine, container, place, into)
        if target is None:
            return
        place = target if target.startswith(b"/") else parent_of(place) + b"/" + target
    raise TargetError(f"cannot fetch {printable(path)}: it leads through too many symbolic links")


def copy_out(engine: Engine, container: str, path: bytes, into: BinaryIO) -> bytes | None:
    """Copy the file at a path, whose last name may be a symlink: then return where that leads instead."""
    try:
        with engine.begin_copy(container, os.fsdecode(path)) as stream, open_tar(stream) as tar:
            member = tar.next()
            if member is None:
                raise FileNotFoundError(path)
            if member.issym():
                return member.linkname.encode("utf-8", "surrogateescape")
            content = tar.extractfile(member) if member.isreg() else None
            if content is None:
                raise TargetError(f"{printable(path)} is no regular file in the container; name another file")
            while part := content.read(PART):
                into.write(part)
    except tarfile.TarError as error:
        raise TargetError(f"the engine's copy of {printable(path)} cannot be read: {error}; try again") from None
    return None
