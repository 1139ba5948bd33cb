"""mount(2) and the calls around it, by which a replay gets its root."""

from __future__ import annotations

import ctypes
import os
import struct
from enum import IntFlag

from rtrace.linux.libc import call, check, load_libc
from rtrace_unpackers.isolation.kernel.numbers import AT_EMPTY_PATH


class MountFlag(IntFlag):
    """The flags of mount(2) that are used here."""

    READ_ONLY = 0x1
    NO_SETUID = 0x2
    NO_DEVICES = 0x4
    NO_EXECUTION = 0x8
    REMOUNT = 0x20
    BIND = 0x1000
    RECURSIVE = 0x4000
    PRIVATE = 0x40000


NO_FLAGS = MountFlag(0)
MNT_DETACH = 2

# Numbers that every architecture has in common.
OPEN_TREE, MOVE_MOUNT, OPENAT2, MOUNT_SETATTR = 428, 429, 437, 442

AT_FDCWD = -100
AT_RECURSIVE = 0x8000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 0x1, os.O_CLOEXEC if hasattr(os, "O_CLOEXEC") else 0
MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_IDMAP = 0x1, 0x2, 0x4, 0x00100000
RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT = 0x02, 0x10


def mount(source: bytes | None, target: bytes, filesystem: bytes | None, flags: MountFlag, data: bytes | None) -> None:
    """Attach a file system, or change how one is attached; see mount(2)."""
    check(load_libc().mount(source, target, filesystem, ctypes.c_ulong(flags), data))


def clone_tree(directory: int, *, recursive: bool) -> int:
    """Return the descriptor of a mount of its own, attached nowhere yet, of a directory; see open_tree(2).

    ``directory`` is a descriptor, or AT_FDCWD for the working directory.
    """
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    return call(OPEN_TREE, directory, b"", flags)


def restrict_mount(mounted: int) -> None:
    """Make set-uid bits and devices in a mount without effect; see mount_setattr(2)."""
    set_mount_attributes(mounted, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0)


def map_owners(mounted: int, user_namespace: int) -> None:
    """Show the owners of a mount's files as a user namespace maps them: owner 5 on disk is the 5 inside of it.

    Raises OSError: EINVAL where the file system knows no such mounts, ENOSYS before Linux 5.12.
    """
    set_mount_attributes(mounted, MOUNT_ATTR_IDMAP | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, user_namespace)


def set_mount_attributes(mounted: int, attributes: int, user_namespace: int) -> None:
    """Call mount_setattr(2) with a ``struct mount_attr``: attr_set, attr_clr, propagation, userns_fd."""
    structure = struct.pack("=QQQQ", attributes, 0, 0, user_namespace)
    buffer = ctypes.create_string_buffer(structure, len(structure))
    call(MOUNT_SETATTR, mounted, b"", AT_EMPTY_PATH, buffer, len(structure))


def attach(mounted: int, path: bytes) -> None:
    """Attach a mount at a path; see move_mount(2)."""
    call(MOVE_MOUNT, mounted, b"", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)


def make_read_only(mounted: int) -> None:
    """Let nobody write through a mount that is attached nowhere yet."""
    set_mount_attributes(mounted, MOUNT_ATTR_RDONLY, 0)


def attach_at(mounted: int, place: int) -> None:
    """Attach a mount at what a descriptor was opened for."""
    call(MOVE_MOUNT, mounted, b"", place, b"", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)


def open_within(root: int, path: bytes, flags: int) -> int:
    """Open a path with an open folder as the root of all there is, through no door of /proc; see openat2(2)."""
    how = struct.pack("=QQQ", flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    return call(OPENAT2, root, path, ctypes.create_string_buffer(how, len(how)), len(how))


def pivot_here() -> None:
    """Make the working directory, a mount, the root, and detach the old one, by the stacking trick of pivot_root(2)."""
    check(load_libc().pivot_root(b".", b"."))
    check(load_libc().umount2(b".", ctypes.c_int(MNT_DETACH)))
    os.chdir(b"/")
