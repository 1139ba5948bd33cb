"""Make one new file, and give it what its entry says of it: owner, attributes, mode and time."""

from __future__ import annotations

import os

from rtrace.bundle.entry import Entry
from rtrace_unpackers.files.descent import Descent
from rtrace_unpackers.files.layout import name_of, parent_of
from rtrace_unpackers.files.ownership import Ownership
from rtrace_unpackers.files.xattr_setting import set_xattrs


def create(entry: Entry, descent: Descent) -> int:
    """Make a new file and open it for writing, and for reading when copies of it are made."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name_of(entry.path), flags, 0o600, dir_fd=descent.enter(parent_of(entry.path)))


def finish(descriptor: int, entry: Entry, ownership: Ownership) -> None:
    """Give an open file its owner, attributes, mode and time, in this order: each undoes something of the next."""
    if ownership.keep:
        os.fchown(descriptor, *ownership.owner_of(entry))
    if entry.xattrs:
        set_xattrs(descriptor, entry, ownership.lost)
    os.fchmod(descriptor, ownership.mode_of(entry))
    os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))


def finish_by_name(name: bytes, directory: int, entry: Entry, ownership: Ownership, *, is_symlink: bool) -> None:
    """Give a FIFO or a symlink, which cannot be opened, its owner, mode and time."""
    if ownership.keep:
        os.chown(name, *ownership.owner_of(entry), dir_fd=directory, follow_symlinks=False)
    if entry.xattrs:
        set_xattrs(b"/proc/self/fd/%d/%b" % (directory, name), entry, ownership.lost)
    if not is_symlink:
        os.chmod(name, ownership.mode_of(entry), dir_fd=directory)
    os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=directory, follow_symlinks=False)
