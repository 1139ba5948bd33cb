"""Put a file into the tree of a chroot target, and get one out of it.

TARGET/rtrace-put.new      the file in the making, until it is whole
TARGET/root/...            its place, where it appears by a rename
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from typing import BinaryIO

from rtrace.bundle.entry import Entry
from rtrace.errors import TargetError
from rtrace.files.holes import find_segments
from rtrace.files.renaming import is_there
from rtrace.printable import printable
from rtrace_unpackers.chroot.state_words import PUT_NEW, TREE
from rtrace_unpackers.files.copying import copy_content
from rtrace_unpackers.files.creation import finish
from rtrace_unpackers.files.extraction import write_all
from rtrace_unpackers.files.layout import name_of, parent_of
from rtrace_unpackers.files.ownership import Ownership
from rtrace_unpackers.files.reaching import Maker, open_readable, reached, resolve_in, split_names
from rtrace_unpackers.isolation.users.ids import Maps
from rtrace_unpackers.isolation.users.in_namespace import run_inside

PART = 1 << 20
IN_THE_WAY = {errno.ELOOP: "a symbolic link", errno.ENOTDIR: "something that is no folder", errno.EISDIR: "a folder"}
ABOVE = (TREE.encode(),)


def put_file(folder: int, entry: Entry, content: BinaryIO, ownership: Ownership, others: Maps | None) -> None:
    """Put a file at an entry's path in the tree of a target, whose folder is open. Raises TargetError."""
    try:
        with writing(folder, entry, content, ownership):
            run_inside(others, lambda: place(folder, entry, ownership, others))
    except OSError as error:
        found = IN_THE_WAY.get(error.errno or 0)
        why = f"there is {found} in its way" if found else f"{error.strerror}"
        raise TargetError(
            f"cannot put {printable(entry.path)} into the target: {why}; "
            + ("`rtrace reset` brings the packed state back" if found else "nothing was changed")
        ) from None


@contextlib.contextmanager
def writing(folder: int, entry: Entry, content: BinaryIO, ownership: Ownership) -> Iterator[None]:
    """Write a whole new file beside the tree; what of it is left in the end is removed. Raises OSError."""
    remove_unfinished(folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(PUT_NEW, flags, 0o600, dir_fd=folder)
    try:
        try:
            write_content(descriptor, content)
            finish(descriptor, entry, ownership)
        finally:
            os.close(descriptor)
        yield
    finally:
        remove_unfinished(folder)


def remove_unfinished(folder: int) -> bool:
    """Remove a file that never got to its place; return whether there was one."""
    try:
        os.unlink(PUT_NEW, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def write_content(descriptor: int, content: BinaryIO) -> None:
    """Write all that a file brings; long rows of zeros become holes."""
    size = 0
    while part := content.read(PART):
        size += len(part)
        if part.count(0) == len(part):
            os.lseek(descriptor, size, os.SEEK_SET)
        else:
            write_all(descriptor, part)
    os.ftruncate(descriptor, size)


def place(folder: int, entry: Entry, ownership: Ownership, others: Maps | None) -> None:
    """Rename a file that is whole to its path in the tree. The folder that had it keeps its time. Raises OSError."""
    owner = None if others is None else (others.users.extents[0].inside, others.groups.extents[0].inside)
    make = make_folder_for(entry, ownership, owner)
    name = name_of(entry.path)
    with reached(folder, (*ABOVE, *split_names(parent_of(entry.path))), make) as directory:
        before = os.fstat(directory)
        was_there = is_there(directory, name)
        os.rename(PUT_NEW.encode(), name, src_dir_fd=folder, dst_dir_fd=directory)
        if was_there:
            os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_folder_for(entry: Entry, ownership: Ownership, owner: tuple[int, int] | None) -> Maker:
    """Return what makes a folder on the way to a file, which belongs to whom the file does.

    ``owner`` is the user who owns all files, by the numbers that are theirs here, where owners are not kept.
    """

    def make(name: bytes, above: int) -> None:
        os.mkdir(name, 0o755, dir_fd=above)
        whose = ownership.owner_of(entry) if ownership.keep else owner
        if whose is not None:
            os.chown(name, *whose, dir_fd=above, follow_symlinks=False)

    return make


def fetch_file(folder: int, path: bytes, into: BinaryIO, others: Maps | None) -> None:
    """Copy the content of a file of the tree. Raises FileNotFoundError, and TargetError for what is no regular file."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        try:
            run_inside(others, lambda: hand_over(folder, path, theirs))
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno == errno.ENOTDIR:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
            raise TargetError(f"cannot fetch {printable(path)}: {error.strerror}; `rtrace reset` may help") from None
        receive(ours, into)


def receive(channel: socket.socket, into: BinaryIO) -> None:
    """Take a descriptor that a child has sent, and copy its file. Raises OSError."""
    _, (descriptor, *_), _, _ = socket.recv_fds(channel, 1, 1)
    try:
        copy_out(descriptor, into)
    finally:
        os.close(descriptor)


def send_regular(channel: socket.socket, descriptor: int, path: bytes) -> None:
    """Send a file that is open, and close it. Raises OSError, and TargetError for what is no regular file."""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise no_regular_file(path)
        socket.send_fds(channel, [b"f"], [descriptor])
    finally:
        os.close(descriptor)


def no_regular_file(path: bytes) -> TargetError:
    """Return the error of what cannot be fetched."""
    return TargetError(f"{printable(path)} is no regular file in the target; name another file")


def hand_over(folder: int, path: bytes, channel: socket.socket) -> None:
    """Open a regular file of the tree and send its descriptor. Raises OSError and TargetError."""
    place = resolve_in(folder, ABOVE, path)
    with reached(folder, (*ABOVE, *split_names(parent_of(place)))) as directory:
        if place == b"/" or not stat.S_ISREG(os.stat(name_of(place), dir_fd=directory, follow_symlinks=False).st_mode):
            raise no_regular_file(path)
        descriptor = open_readable(name_of(place), directory)
    send_regular(channel, descriptor, path)


def copy_out(descriptor: int, into: BinaryIO) -> None:
    """Copy an open file to another one, with its holes where that is a new regular file. Raises OSError."""
    status = os.fstat(descriptor)
    try:
        there = os.fstat(into.fileno())
    except (OSError, AttributeError):  # it is in memory
        there = None
    if there is not None and stat.S_ISREG(there.st_mode) and not there.st_size:
        copy_content(descriptor, into.fileno(), status.st_size, find_segments(descriptor, status))
        return
    with open(descriptor, "rb", closefd=False) as file:
        while part := file.read(PART):
            into.write(part)
