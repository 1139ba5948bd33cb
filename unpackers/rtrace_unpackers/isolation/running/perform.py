"""Carry out the set-up of a replay, in a process that has its namespaces already."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import Sequence

from rtrace_unpackers.isolation.kernel import mounting
from rtrace_unpackers.isolation.kernel.mounting import MountFlag
from rtrace_unpackers.isolation.kernel.overlays import assemble
from rtrace_unpackers.isolation.planning.isolation_plan import NOTHING_SPECIAL
from rtrace_unpackers.isolation.planning.operations import (
    BringUpLoopback,
    EnterOverlay,
    EnterRoot,
    EnterTree,
    Hide,
    MakeDirectory,
    MakeFile,
    MakeInside,
    MakeReadOnly,
    MakeSymlink,
    Mount,
    MountAround,
    Operation,
    Set,
    SetHostname,
    Show,
    ShowFile,
    WriteFile,
)

SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def perform(operation: Operation, mounts: Sequence[int]) -> None:
    """Carry out one operation. Raises OSError, with the path it failed at where there is one.

    ``mounts`` are the descriptors of mounts that were handed in: one of the tree that shows the owners of its files as
    the replay maps them; none where no owner is mapped, and the working directory is the tree; two for an overlay.
    """
    match operation:
        case MakeDirectory(path, mode):
            make_directory(path, mode)
        case MakeFile(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        case MakeSymlink(path, target):
            os.symlink(target, path)
        case WriteFile(path, content):
            write_file(path, content)
        case MakeInside(folder, name, mode):
            make_inside(folder, name, mode)
        case Show():
            show(operation)
        case Mount():
            mount_or_leave(operation)
        case MountAround(around, kept):
            mount_around(around, kept)
        case MakeReadOnly(path):
            if os.path.lexists(path):
                mounting.mount(path, path, None, MountFlag.BIND | MountFlag.RECURSIVE, None)
                remount = MountFlag.BIND | MountFlag.REMOUNT | MountFlag.READ_ONLY
                mounting.mount(None, path, None, remount | NOTHING_SPECIAL, None)
        case Hide(path):
            hide(path)
        case ShowFile(source, path):
            show_file(source, path)
        case Set(path, content):
            if os.path.exists(path):
                with open(path, "wb", buffering=0) as file:
                    file.write(content)
        case EnterTree():
            enter_tree(mounts[0] if mounts else None)
        case EnterOverlay():
            enter_overlay(*mounts)
        case SetHostname(name):
            socket.sethostname(os.fsdecode(name))
        case BringUpLoopback():
            bring_up_loopback()
        case EnterRoot():
            mounting.pivot_here()


def describe_operation(operation: Operation) -> str:
    """Return what an operation does, in words that follow "cannot"."""
    match operation:
        case MakeDirectory(path) | MakeFile(path) | MakeSymlink(path) | WriteFile(path):
            return f"make {os.fsdecode(path)} in the target"
        case MakeInside(folder, name):
            return f"make {os.fsdecode(os.path.join(folder, name))} in the target"
        case Show(source):
            return f"show {os.fsdecode(source)} to the replay"
        case MountAround(_, kept):
            return f"keep {os.fsdecode(kept)}"
        case Mount(target, filesystem=None):
            return f"bind {os.fsdecode(target)}"
        case Mount(target, filesystem=bytes(filesystem)):
            return f"mount_or_leave {os.fsdecode(filesystem)} on {os.fsdecode(target)}"
        case MakeReadOnly(path):
            return f"make {os.fsdecode(path)} read-only"
        case Hide(path=path) | ShowFile(path=path) | Set(path=path):
            return f"{'hide' if isinstance(operation, Hide) else 'freeze'} {os.fsdecode(path)}"
        case EnterTree() | EnterOverlay():
            return "mount_or_leave the target's files"
        case SetHostname(name):
            return f"set the hostname {os.fsdecode(name)}"
        case BringUpLoopback():
            return "bring up the loopback device"
        case _:
            return "change the root directory"


def enter_tree(tree: int | None) -> None:
    """Attach the tree's mount over the working directory and enter it; without a tree, the working directory's own."""
    mounted = mounting.clone_tree(mounting.AT_FDCWD, recursive=True) if tree is None else tree
    if tree is None:
        restrict(mounted)
    mounting.attach(mounted, b".")
    os.fchdir(mounted)
    os.close(mounted)


def enter_overlay(lower: int, changes: int) -> None:
    """Mount an overlay and enter it; the mounts that it was made of are left behind with the old root."""
    overlay = assemble(lower, changes)
    os.fchdir(overlay)
    os.close(overlay)


def restrict(mounted: int) -> None:
    """Make set-uid bits and devices without effect, where the kernel can (Linux 5.12); no_new_privs does it as well."""
    try:
        mounting.restrict_mount(mounted)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise


def make_directory(path: bytes, mode: int) -> None:
    """Make a directory unless it is there; a symlink in its place would lead a mount astray."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise


def write_file(path: bytes, content: bytes) -> None:
    """Write a new file, whose folder is ours."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags | os.O_CLOEXEC, 0o644)) as file:
        file.write(content)


def make_inside(folder: bytes, name: bytes, mode: int) -> None:
    """Make a directory in one of the tree's, unless something is there already."""
    place = open_in_tree(folder)
    try:
        os.mkdir(name, dir_fd=place)
        os.chmod(name, mode, dir_fd=place)  # it is what was just made: nobody else is in the tree
    except FileExistsError:
        pass  # what mounts something there sees what it is
    finally:
        os.close(place)


def show(operation: Show) -> None:
    """Attach a mount of something that exists at a path of the tree; leave out what is optional and not there."""
    with contextlib.ExitStack() as stack:
        try:
            source = os.open(operation.source, os.O_PATH | os.O_CLOEXEC)
            stack.callback(os.close, source)
            place = open_in_tree(operation.path)
            stack.callback(os.close, place)
        except (FileNotFoundError, NotADirectoryError):
            if not operation.optional:
                raise
            return
        mounted = mounting.clone_tree(source, recursive=True)
        stack.callback(os.close, mounted)
        restrict(mounted)
        if operation.read_only:
            mounting.make_read_only(mounted)
        mounting.attach_at(mounted, place)


def open_in_tree(path: bytes) -> int:
    """Open a path as the replay will see it: the working directory is the root by which all its links are read."""
    root = os.open(b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return mounting.open_within(root, path, os.O_PATH | os.O_CLOEXEC)
    finally:
        os.close(root)


def mount_or_leave(operation: Mount) -> None:
    """Mount something; leave out what is optional and refused."""
    try:
        mounting.mount(operation.source, operation.target, operation.filesystem, operation.flags, operation.data)
    except OSError:
        if not operation.optional:
            raise


def mount_around(operation: Mount, kept: bytes) -> None:
    """Mount something over what a directory lies in, and attach the directory there again; no symlink is followed."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(b".", flags)
    for name in kept.split(b"/"):
        below = os.open(name, flags, dir_fd=folder)
        os.close(folder)
        folder = below
    mounted = mounting.clone_tree(folder, recursive=False)
    os.close(folder)
    mount_or_leave(operation)
    os.mkdir(kept)
    mounting.attach(mounted, kept)
    os.close(mounted)


def hide(path: bytes) -> None:
    """Mount the null device over a file, an empty read-only file system over a directory."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        mounting.mount(b"tmpfs", path, b"tmpfs", NOTHING_SPECIAL | MountFlag.READ_ONLY, b"size=0")
    else:
        mounting.mount(b"dev/null", path, None, MountFlag.BIND, None)


def show_file(source: bytes, path: bytes) -> None:
    """Mount a file read-only over another one of a file system that the replay has for itself."""
    if os.path.lexists(path):
        mounting.mount(source, path, None, MountFlag.BIND, None)
        remount = MountFlag.BIND | MountFlag.REMOUNT | MountFlag.READ_ONLY
        mounting.mount(None, path, None, remount | NOTHING_SPECIAL, None)


def bring_up_loopback() -> None:
    """Set the UP flag of ``lo``; see netdevice(7)."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        fcntl.ioctl(channel, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
