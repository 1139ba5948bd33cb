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
from rtrace.bundle.entry import Entry
from rtrace.errors import BundleError
from rtrace.printable import format_size, printable
from rtrace.progress import SILENT, Progress
from rtrace_unpackers.files.attributes import set_attributes
from rtrace_unpackers.files.copying import copy_content, find_room, refuse_too_large
from rtrace_unpackers.files.directories import Descent
from rtrace_unpackers.files.layout import Layout, name_of, parent_of
from rtrace_unpackers.files.ownership import Ownership

BLOCK = 512
"""Bytes; what stat(2) counts the room of a file in."""
PLACEHOLDERS_LIMIT = 1 << 30
"""Bytes of disk that placeholders may take together, as their files did."""
PLACEHOLDERS_SHARE = 4
"""What part of the free room that may be at most, as a divisor."""


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
        for entry in layout.directories:
            if entry.path != b"/":
                os.mkdir(name_of(entry.path), 0o700, dir_fd=descent.enter(parent_of(entry.path)))
        write_files(layout, contents, descent, ownership, progress)
        roomy = choose_roomy(layout.placeholders, find_room(root) // PLACEHOLDERS_SHARE)
        unreserved = [
            entry
            for entry in layout.placeholders
            if not write_placeholder(entry, descent, ownership, has_room=entry in roomy)
        ]
        for entry in (*layout.links, *layout.twins):
            write_link(entry, descent)
        for entry in layout.fifos:
            name, directory = name_of(entry.path), descent.enter(parent_of(entry.path))
            os.mkfifo(name, 0o600, dir_fd=directory)
            finish_by_name(name, directory, entry, ownership, is_symlink=False)
        for entry in layout.symlinks:
            name, directory = name_of(entry.path), descent.enter(parent_of(entry.path))
            os.symlink(entry.target or b"", name, dir_fd=directory)
            finish_by_name(name, directory, entry, ownership, is_symlink=True)
        for entry in reversed(layout.directories):  # deepest first: to write in a directory changes its time
            finish(descent.enter(entry.path), entry, ownership)
    return tuple(unreserved)


def choose_roomy(placeholders: Iterable[Entry], room: int) -> frozenset[Entry]:
    """Choose the placeholders that take as much room as their files did: the smallest first, up to a limit in bytes."""
    chosen = set()
    left = min(room, PLACEHOLDERS_LIMIT)
    for entry in sorted(
        (entry for entry in placeholders if entry.blocks), key=lambda entry: (entry.blocks, entry.path)
    ):
        left -= (entry.blocks or 0) * BLOCK
        if left < 0:
            break
        chosen.add(entry)
    return frozenset(chosen)


def tell_unreserved(placeholders: Sequence[Entry]) -> tuple[str, ...]:
    """Say of which placeholders a replay sees another room on the disk than the run did; nothing if of none."""
    if not placeholders:
        return ()
    size = format_size(sum((entry.blocks or 0) * BLOCK for entry in placeholders))
    others = f" and {len(placeholders) - 1} more" if len(placeholders) > 1 else ""
    files = f"{printable(placeholders[0].path)}{others}, only looked at by the run"
    return (f"no room is reserved for the {size} of {files}: `du` and the total of `ls -l` are smaller in a replay",)


def write_files(
    layout: Layout,
    contents: Iterable[tuple[Entry, Iterator[bytes]]],
    descent: Descent,
    ownership: Ownership,
    progress: Progress,
) -> None:
    """Write all regular files that have a content, as their contents come, each with its copies."""
    wanted = {entry.path: entry for entry in layout.files}
    progress.start("unpacking", layout.size)
    for named, content in contents:
        entry = wanted.pop(named.path, None)
        if entry is None:
            continue
        descriptor = create(entry, descent)
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
            for copy in layout.copies.get(entry.path, ()):
                write_copy(copy, descriptor, entry, descent, ownership)
                progress.advance(copy.size)
            finish(descriptor, entry, ownership)
        finally:
            os.close(descriptor)
    progress.finish()
    if wanted:
        raise BundleError(f"the bundle lacks the content of {printable(next(iter(wanted)))}")


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
    descriptor = create(entry, descent)
    try:
        copy_content(source, descriptor, entry.size, holder.segments)
        finish(descriptor, entry, ownership)
    finally:
        os.close(descriptor)


def write_placeholder(entry: Entry, descent: Descent, ownership: Ownership, *, has_room: bool) -> bool:
    """Write a file of holes, or of reserved blocks if it ``has_room``; return whether it takes the room it should."""
    descriptor = create(entry, descent)
    try:
        try:
            os.ftruncate(descriptor, entry.size)
        except OSError:
            raise BundleError(
                f"{printable(entry.path)} has {entry.size} bytes, more than a file may have on this file system; "
                "unpack on another one"
            ) from None
        reserved = reserve(descriptor, min(entry.size, (entry.blocks or 0) * BLOCK)) if has_room else not entry.blocks
        finish(descriptor, entry, ownership)
    finally:
        os.close(descriptor)
    return reserved


def reserve(descriptor: int, size: int) -> bool:
    """Have the file system set the first bytes of an open file aside; return whether it does. See fallocate(2)."""
    if not size:
        return True
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (OSError, AttributeError):  # ENOSPC, EOPNOTSUPP; a system without the call: it stays a file of holes
        return False
    return True


def write_link(entry: Entry, descent: Descent) -> None:
    """Make a further hard link to a file that was written before."""
    link = entry.link or b""
    source = os.dup(descent.enter(parent_of(link)))
    try:
        directory = descent.enter(parent_of(entry.path))
        os.link(name_of(link), name_of(entry.path), src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
    finally:
        os.close(source)


def create(entry: Entry, descent: Descent) -> int:
    """Make a new file and open it for writing, and for reading when copies of it are made."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name_of(entry.path), flags, 0o600, dir_fd=descent.enter(parent_of(entry.path)))


def write_all(descriptor: int, part: bytes) -> None:
    """Write bytes, as often as it takes."""
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def finish(descriptor: int, entry: Entry, ownership: Ownership) -> None:
    """Give an open file its owner, attributes, mode and time, in this order: each undoes something of the next."""
    if ownership.keep:
        os.fchown(descriptor, *ownership.owner_of(entry))
    if entry.xattrs:
        set_attributes(descriptor, entry, ownership.lost)
    os.fchmod(descriptor, ownership.mode_of(entry))
    os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))


def finish_by_name(name: bytes, directory: int, entry: Entry, ownership: Ownership, *, is_symlink: bool) -> None:
    """Give a FIFO or a symlink, which cannot be opened, its owner, mode and time."""
    if ownership.keep:
        os.chown(name, *ownership.owner_of(entry), dir_fd=directory, follow_symlinks=False)
    if entry.xattrs:
        set_attributes(b"/proc/self/fd/%d/%b" % (directory, name), entry, ownership.lost)
    if not is_symlink:
        os.chmod(name, ownership.mode_of(entry), dir_fd=directory)
    os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=directory, follow_symlinks=False)
