"""Make one new file, and give it what its entry says of it: owner, attributes, mode and time."""

from __future__ import annotations

import os
import stat

from rtrace.bundle.entry import Entry
from rtrace_unpackers.files.descent import Descent
from rtrace_unpackers.files.layout import name_of, parent_of
from rtrace_unpackers.files.ownership import Ownership
from rtrace_unpackers.files.xattr_setting import set_xattrs

PERMISSIONS = 0o777
"""Without set-uid, set-gid and sticky bits, which writing may take away."""

WRITABLE = 0o600
"""What its owner needs to set extended attributes."""


def create(entry: Entry, descent: Descent, ownership: Ownership) -> int:
    """Make a new file and open it for writing, and for reading when copies of it are made.

    It has the permissions that it is to have, as far as the umask allows that.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    mode = ownership.mode_of(entry) & PERMISSIONS | (WRITABLE if entry.xattrs else 0)
    return os.open(name_of(entry.path), flags, mode, dir_fd=descent.enter(parent_of(entry.path)))


def finish(descriptor: int, entry: Entry, ownership: Ownership) -> None:
    """Give an open file its owner, attributes, mode and time, in this order: each undoes something of the next.

    What it has already is left alone: each of these is a change that the file system keeps a journal of.
    """
    status = os.fstat(descriptor)
    is_owned = not ownership.keep or (status.st_uid, status.st_gid) == ownership.owner_of(entry)
    if not is_owned:
        os.fchown(descriptor, *ownership.owner_of(entry))
    if entry.xattrs:
        set_xattrs(descriptor, entry, ownership.lost)
    mode = ownership.mode_of(entry)
    if entry.xattrs or not is_owned or stat.S_IMODE(status.st_mode) != mode:
        os.fchmod(descriptor, mode)
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
