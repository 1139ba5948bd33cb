"""Put a file into the overlay of a throw-away target, and get one out of it: by a child that sees the overlay."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import BinaryIO

from rtrace.bundle.entry import Entry
from rtrace.errors import TargetError
from rtrace.printable import printable
from rtrace_unpackers.chroot.exchanging import PART, make_folder_for, send_regular
from rtrace_unpackers.files.creation import finish
from rtrace_unpackers.files.extraction import write_all
from rtrace_unpackers.files.layout import name_of, parent_of
from rtrace_unpackers.files.ownership import Ownership
from rtrace_unpackers.files.reaching import reached, split_names
from rtrace_unpackers.isolation.kernel.mounting import open_within

NEW = b".rtrace-put.new"


def put_file(root: int, entry: Entry, content: BinaryIO, ownership: Ownership, owner: tuple[int, int] | None) -> None:
    """Put a file in its place below an open root; it appears there whole. Raises OSError.

    ``owner`` is the user who owns all files, by the numbers that are theirs here; None where owners are kept.
    """
    make = make_folder_for(entry, ownership, owner)
    with reached(root, split_names(parent_of(entry.path)), make) as directory:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(NEW, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(NEW, flags, 0o600, dir_fd=directory)
        try:
            while part := content.read(PART):
                write_all(descriptor, part)
            if owner is not None:
                os.fchown(descriptor, *owner)
            finish(descriptor, entry, ownership)
            os.rename(NEW, name_of(entry.path), src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            os.unlink(NEW, dir_fd=directory)
            raise
        finally:
            os.close(descriptor)


def hand_over(root: int, path: bytes, channel: socket.socket) -> None:
    """Open a regular file below an open root, whatever symlinks lead to it there, and send its descriptor.

    Raises OSError, and TargetError for what is no regular file.
    """
    send_regular(channel, open_within(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), path)


def explain(error: OSError, doing: str, path: bytes) -> Exception:
    """Return what is raised for an error of the child."""
    if error.errno in {errno.ENOENT, errno.ENOTDIR} and doing == "fetch":
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return TargetError(f"cannot {doing} {printable(path)}: {error.strerror}; unpack the bundle again")
