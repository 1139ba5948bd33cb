"""The files of an image as layers, a tar each, the same bytes for the same bundle."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from typing import BinaryIO, cast

from rtrace.bundle.entry import Entry
from rtrace.errors import BundleError, HostileBundleError, TargetError
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress
from rtrace_unpackers.engines.image.layers import NAMES, OWN, Plan
from rtrace_unpackers.files.layout import Layout, take_contents

HOLES_LIMIT = 256 << 20
"""Bytes that all placeholders together may take: an engine writes their zeros to the disk, and more than once."""
SECOND = 1_000_000_000
REMOVED = b"/.wh."
"""Begins the name of a file by which a layer says that the rest of the name, or all of a folder, is removed."""
ATTRIBUTE = "SCHILY.xattr."
"""Begins the names of extended attributes in a pax header, as star(1) writes them and engines read them."""


def write_layers(
    files: Mapping[str, BinaryIO],
    layout: Layout,
    plan: Plan,
    contents: Iterable[tuple[Entry, Iterator[bytes]]],
    folder: str,
    programs: Mapping[str, bytes],
    *,
    progress: Progress = SILENT,
) -> tuple[Entry, ...]:
    """Write the layers of a layout, and programs of our own in a folder of our own, into files by the layers' names.

    ``programs`` are by their paths. Return the placeholders that were left empty. Raises what `refuse_taken` does.
    """
    refuse_taken(layout, folder.encode())
    with ExitStack() as stack:
        tars = {number: stack.enter_context(open_tar(files[NAMES[number]])) for number in plan.used}
        own = stack.enter_context(open_tar(files[OWN]))
        for number, tar in tars.items():
            write_directories(tar, plan.directories[number])
        empty = write_entries(lambda path: tars[plan.places[path]], layout, contents, progress)
        write_programs(own, layout, folder, programs)
    return empty


def write_rootfs(
    file: BinaryIO,
    layout: Layout,
    contents: Iterable[tuple[Entry, Iterator[bytes]]],
    folder: str,
    *,
    progress: Progress = SILENT,
    form: int = tarfile.PAX_FORMAT,
) -> tuple[Entry, ...]:
    """Write a layout, and a folder of our own, as one tar; return the placeholders that were left empty.

    Only the pax form has fractions of seconds and extended attributes. Raises what `refuse_taken` does.
    """
    refuse_taken(layout, folder.encode())
    with open_tar(file, form) as tar:
        write_directories(tar, (entry for entry in layout.directories if entry.path not in {b"/", folder.encode()}))
        empty = write_entries(lambda _path: tar, layout, contents, progress)
        write_programs(tar, layout, folder, {})
    return empty


def write_directories(tar: tarfile.TarFile, directories: Iterable[Entry]) -> None:
    """Write directories, each after the one that it is in."""
    for entry in directories:
        tar.addfile(make_header(entry, tarfile.DIRTYPE))


def write_entries(
    find: Callable[[bytes], tarfile.TarFile],
    layout: Layout,
    contents: Iterable[tuple[Entry, Iterator[bytes]]],
    progress: Progress,
) -> tuple[Entry, ...]:
    """Write all but directories, each into the tar for its path; return the placeholders that were left empty."""
    empty = choose_empty(layout.placeholders)
    write_files(find, layout, contents, progress)
    for entry in layout.placeholders:
        size = 0 if entry in empty else entry.size
        find(entry.path).addfile(make_header(entry, tarfile.REGTYPE, size=size), Zeros())
    for entry in (*layout.links, *layout.twins):
        find(entry.path).addfile(make_header(entry, tarfile.LNKTYPE, link=(entry.link or b"")[1:]))
    for entry in layout.fifos:
        find(entry.path).addfile(make_header(entry, tarfile.FIFOTYPE))
    for entry in layout.symlinks:
        find(entry.path).addfile(make_header(entry, tarfile.SYMTYPE, link=entry.target or b""))
    return tuple(sorted(empty, key=lambda entry: entry.path))


def open_tar(file: BinaryIO, form: int = tarfile.PAX_FORMAT) -> tarfile.TarFile:
    """Return a tar that is written to an open file."""
    return tarfile.open(fileobj=file, mode="w", format=form, encoding="utf-8", errors="surrogateescape")


def write_programs(tar: tarfile.TarFile, layout: Layout, folder: str, programs: Mapping[str, bytes]) -> None:
    """Write our programs in their folder, which is as the bundle has it where it has one."""
    theirs = next((entry for entry in layout.directories if entry.path == folder.encode()), None)
    header = make_own_header(folder, tarfile.DIRTYPE, 0) if theirs is None else make_header(theirs, tarfile.DIRTYPE)
    tar.addfile(header)
    for path, program in programs.items():
        tar.addfile(make_own_header(path, tarfile.REGTYPE, len(program)), io.BytesIO(program))


def refuse_taken(layout: Layout, folder: bytes) -> None:
    """Raise HostileBundleError when the bundle holds more than an empty directory at our folder.

    Raises TargetError for a name that is an order in the layer of an image: it would remove other files of it.
    """
    copies = chain.from_iterable(layout.copies.values())
    everything = (
        *layout.files,
        *copies,
        *layout.placeholders,
        *layout.twins,
        *layout.links,
        *layout.fifos,
        *layout.symlinks,
    )
    for entry in (*everything, *layout.directories):
        if entry.path.startswith(folder + b"/"):
            raise HostileBundleError(f"the bundle holds {printable(entry.path)}, where rtrace puts launchers")
        if REMOVED in entry.path:
            raise TargetError(
                f"the bundle holds {printable(entry.path)}, which an engine takes for the mark of something removed; "
                "use the chroot unpacker"
            )
    if any(entry.path == folder for entry in everything):
        raise HostileBundleError(f"the bundle holds {printable(folder)}, where rtrace puts launchers")


def choose_empty(placeholders: Iterable[Entry]) -> frozenset[Entry]:
    """Choose the placeholders to leave empty, the largest ones, so that the rest stay below the limit."""
    empty = set()
    total = 0
    for entry in sorted(placeholders, key=lambda entry: (entry.size, entry.path)):
        total += entry.size
        if total > HOLES_LIMIT:
            empty.add(entry)
    return frozenset(empty)


def write_files(
    find: Callable[[bytes], tarfile.TarFile],
    layout: Layout,
    contents: Iterable[tuple[Entry, Iterator[bytes]]],
    progress: Progress,
) -> None:
    """Write all regular files that have a content, as their contents come, each with its copies."""
    for entry, content in take_contents(layout, contents, progress):
        stream = ContentStream(content, progress)
        tar = find(entry.path)
        try:
            tar.addfile(make_header(entry, tarfile.REGTYPE, size=entry.size), stream)
        except OSError:
            if stream.is_short:
                raise BundleError(f"{printable(entry.path)} has fewer than {entry.size} bytes in the bundle") from None
            raise
        start = tar.offset - -(-entry.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        for copy in layout.copies.get(entry.path, ()):
            again = Again(cast("BinaryIO", tar.fileobj), start)
            find(copy.path).addfile(make_header(copy, tarfile.REGTYPE, size=copy.size), again)
            progress.advance(copy.size)


def make_header(entry: Entry, kind: bytes, *, size: int = 0, link: bytes = b"") -> tarfile.TarInfo:
    """Return the tar header of an entry; the time with its nanoseconds, as pax(1) has them."""
    member = tarfile.TarInfo(entry.path[1:].decode("utf-8", "surrogateescape"))
    member.type = kind
    member.size = size
    member.mode = entry.mode
    member.uid, member.gid = entry.uid, entry.gid
    member.linkname = link.decode("utf-8", "surrogateescape")
    seconds, nanoseconds = divmod(abs(entry.mtime_ns), SECOND)
    sign = -1 if entry.mtime_ns < 0 else 1
    member.mtime = max(0, sign * seconds)
    if nanoseconds or sign < 0:
        member.pax_headers = {"mtime": f"{'-' if sign < 0 else ''}{seconds}.{nanoseconds:09d}"}
    for name, value in entry.xattrs:
        if not is_sayable(name):
            continue
        key = ATTRIBUTE + name.decode("utf-8", "surrogateescape")
        member.pax_headers = {**member.pax_headers, key: value.decode("utf-8", "surrogateescape")}
    return member


def is_sayable(name: bytes) -> bool:
    """Whether a pax header can hold the name of an attribute."""
    return b"=" not in name and name.decode("utf-8", "replace").encode() == name


def make_own_header(path: str, kind: bytes, size: int, owner: tuple[int, int] = (0, 0)) -> tarfile.TarInfo:
    """Return the tar header of a file of ours; ``owner`` is a user and a group."""
    member = tarfile.TarInfo(path[1:])
    member.type = kind
    member.size = size
    member.mode = 0o755
    member.uid, member.gid = owner
    return member


class ContentStream(io.RawIOBase):
    """A file that reads the parts of a content."""

    def __init__(self, parts: Iterator[bytes], progress: Progress) -> None:
        self.parts = parts
        self.progress = progress
        self.rest = b""
        self.is_short = False

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes, fewer at the end only."""
        taken = [self.rest]
        length = len(self.rest)
        while length < size:
            part = next(self.parts, None)
            if part is None:
                self.is_short = True
                break
            taken.append(part)
            length += len(part)
        everything = b"".join(taken)
        self.rest = everything[size:]
        self.progress.advance(min(size, length))
        return everything[:size]


class Again(io.RawIOBase):
    """A file that reads another from an offset on, while more is written to the end of that."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self.file = file
        self.offset = offset

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes."""
        end = self.file.tell()
        self.file.seek(self.offset)
        content = self.file.read(size)
        self.offset += len(content)
        self.file.seek(end)
        return content


class Zeros(io.RawIOBase):
    """An endless file of zeros."""

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return that many zeros."""
        return bytes(max(size, 0))
