"""Write the files of a bundle below a directory.

A bundle is taken for hostile. Its names were checked before (``rtrace.bundle.reading.validation``); here, too,
nothing is reached but by a descriptor of a directory that was made here, nothing is opened that was there before
(O_EXCL), no symlink is followed (O_NOFOLLOW), and symlinks are made only when all files are written. There are no
device nodes, for entries have no word for them.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from rtrace.bundle.data.sparse import ZEROS
from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import BundleError
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress
from rtrace_unpackers.files.copying import copy_content, find_room, refuse_too_large
from rtrace_unpackers.files.creation import create, finish, finish_by_name
from rtrace_unpackers.files.descent import Descent
from rtrace_unpackers.files.layout import Layout, name_of, parent_of, take_contents
from rtrace_unpackers.files.ownership import Ownership
from rtrace_unpackers.files.placeholders import write_placeholders


def extract(
    layout: Layout,
    contents: Iterable[tuple[Entry, Iterator[bytes]]],
    root: int,
    ownership: Ownership,
    *,
    progress: Progress = SILENT,
) -> tuple[Entry, ...]:
    """Write a layout below an empty directory that is open at ``root``; return the placeholders without their room.

    ``contents`` brings the content of every file of the layout, in any order. Raises BundleError when it does not, and
    OSError when the disk refuses.
    """
    refuse_too_large(layout.room, root)
    with Descent(root) as descent:
        folders = FolderMaker(layout.directories, descent)
        write_files(layout, contents, descent, folders, ownership, progress)
        folders.make_all()
        unreserved = write_placeholders(layout.placeholders, find_room(root), descent, ownership)
        for entry in (*layout.links, *layout.twins):
            write_link(entry, descent)
        for entry in (*layout.fifos, *layout.symlinks):
            write_special(entry, descent, ownership)
        for entry in reversed(layout.directories):  # deepest first: to write in a directory changes its time
            finish(descent.enter(entry.path), entry, ownership)
    return unreserved


class FolderMaker:
    """Makes folders shortly before files are written in them.

    A file system such as ext4 puts many folders that are made one after the other far apart, and their files with them.
    """

    def __init__(self, folders: Sequence[Entry], descent: Descent) -> None:
        self.folders = folders
        self.descent = descent
        self.made = 0

    def reach(self, path: bytes) -> None:
        """Make the folders up to the one that a path is in, in the order of paths."""
        parent = parent_of(path)
        while self.made < len(self.folders) and self.folders[self.made].path <= parent:
            self.make_next()

    def make_all(self) -> None:
        """Make those that are left."""
        while self.made < len(self.folders):
            self.make_next()

    def make_next(self) -> None:
        """Make the next one; the topmost is there."""
        path = self.folders[self.made].path
        self.made += 1
        if path != b"/":
            os.mkdir(name_of(path), 0o700, dir_fd=self.descent.enter(parent_of(path)))


def write_files(
    layout: Layout,
    contents: Iterable[tuple[Entry, Iterator[bytes]]],
    descent: Descent,
    folders: FolderMaker,
    ownership: Ownership,
    progress: Progress,
) -> None:
    """Write all regular files that have a content, as their contents come, each with its copies."""
    for entry, content in take_contents(layout, contents, progress):
        for one in (entry, *layout.copies.get(entry.path, ())):
            folders.reach(one.path)
        write_file(entry, content, layout.copies.get(entry.path, ()), descent, ownership, progress)


def write_file(
    entry: Entry,
    content: Iterator[bytes],
    copies: Iterable[Entry],
    descent: Descent,
    ownership: Ownership,
    progress: Progress,
) -> None:
    """Write a regular file and its copies. Raises BundleError when its content has another size."""
    descriptor = create(entry, descent, ownership)
    try:
        written = 0
        for part in content:
            if entry.segments is None:
                write_all(descriptor, part)
            else:
                write_data(descriptor, part, written, entry)
            written += len(part)
            progress.advance(len(part))
        if written != entry.size:
            raise BundleError(f"{printable(entry.path)} has {written} bytes in the bundle instead of {entry.size}")
        if entry.segments is not None:
            os.ftruncate(descriptor, entry.size)
        for copy in copies:
            write_copy(copy, descriptor, entry, descent, ownership)
            progress.advance(copy.size)
        finish(descriptor, entry, ownership)
    finally:
        os.close(descriptor)


def write_data(descriptor: int, part: bytes, offset: int, entry: Entry) -> None:
    """Write what of a part of a sparse file, whose content it is from ``offset`` on, lies in its segments.

    The rest has to be zeros, and stays a hole. Raises BundleError when it is not.
    """
    segments = entry.segments or ()
    number = max(0, bisect_right(segments, offset, key=lambda segment: segment[0]) - 1)
    at, end = offset, offset + len(part)
    while at < end:
        while number < len(segments) and sum(segments[number]) <= at:
            number += 1
        start, length = segments[number] if number < len(segments) else (end, 0)
        stop = min(end, start + length if at >= start else start)
        piece = part[at - offset : stop - offset]
        if at >= start:
            while piece:
                piece = piece[os.pwrite(descriptor, piece, stop - len(piece)) :]
        elif piece is not ZEROS and piece.strip(b"\0"):
            raise BundleError(f"the bundle has data in a hole of {printable(entry.path)}; fetch it again")
        at = stop


def write_copy(entry: Entry, source: int, holder: Entry, descent: Descent, ownership: Ownership) -> None:
    """Write a file with the content of one that is open."""
    descriptor = create(entry, descent, ownership)
    try:
        copy_content(source, descriptor, entry.size, holder.segments)
        finish(descriptor, entry, ownership)
    finally:
        os.close(descriptor)


def write_link(entry: Entry, descent: Descent) -> None:
    """Make a further hard link to a file that was written before."""
    link = entry.link or b""
    source = os.dup(descent.enter(parent_of(link)))
    try:
        directory = descent.enter(parent_of(entry.path))
        os.link(name_of(link), name_of(entry.path), src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
    finally:
        os.close(source)


def write_special(entry: Entry, descent: Descent, ownership: Ownership) -> None:
    """Make a FIFO or a symlink, which nothing opens."""
    name, directory = name_of(entry.path), descent.enter(parent_of(entry.path))
    is_symlink = entry.type is FileType.SYMLINK
    if is_symlink:
        os.symlink(entry.target or b"", name, dir_fd=directory)
    else:
        os.mkfifo(name, 0o600, dir_fd=directory)
    finish_by_name(name, directory, entry, ownership, is_symlink=is_symlink)


def write_all(descriptor: int, part: bytes) -> None:
    """Write bytes, as often as it takes."""
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
