"""The two trees that a replay sees as one: a lower one that it shares with others, and its own changes.

The kernel takes them as mounts only, so each is handed in as a mount that is attached nowhere yet.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from rtrace.errors import TargetError
from rtrace.files.folders import directory_flags
from rtrace_unpackers.files.descent import open_regular
from rtrace_unpackers.isolation.kernel import mounting
from rtrace_unpackers.isolation.kernel.mounting import MountFlag
from rtrace_unpackers.isolation.kernel.namespaces import Namespace, unshare
from rtrace_unpackers.isolation.kernel.overlays import UPPER, assemble
from rtrace_unpackers.isolation.users.access import Access
from rtrace_unpackers.isolation.users.ids import Maps
from rtrace_unpackers.isolation.users.in_namespace import answer_from_child
from rtrace_unpackers.isolation.users.user_namespace import mounted_tree

Answer = TypeVar("Answer")
Mounts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """Open folders: the lower tree; the changes with the kernel's own, and the upper tree in them; a mount point.

    The mount point is empty, and everybody may enter it; nobody else comes to it.
    """

    lower: int
    changes: int
    upper: int
    place: int

    def open_regular(self, path: bytes) -> int:
        """Open a regular file for reading: what was changed, else as it was below. Raises OSError."""
        try:
            return open_regular(self.upper, path)
        except FileNotFoundError:
            return open_regular(self.lower, path)


@contextlib.contextmanager
def opened_layers(lower: int, folder: int, changes: str, place: str) -> Iterator[Layers]:
    """Yield the layers whose lower tree is open, and closed in the end, and whose other folders are in an open one.

    Raises OSError.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, lower)

        def opened(name: str, above: int) -> int:
            descriptor = os.open(name, directory_flags(), dir_fd=above)
            stack.callback(os.close, descriptor)
            return descriptor

        inner = opened(changes, folder)
        yield Layers(lower, inner, open_upper(inner, stack), opened(place, folder))


def open_upper(changes: int, stack: contextlib.ExitStack) -> int:
    """Open the upper tree, by a descriptor that only names it where a replay took the right to read it away."""
    try:
        descriptor = os.open(UPPER, directory_flags(), dir_fd=changes)
    except PermissionError:
        descriptor = os.open(UPPER, directory_flags() | os.O_PATH, dir_fd=changes)
    stack.callback(os.close, descriptor)
    return descriptor


@contextlib.contextmanager
def mounted_layers(access: Access, process: int, layers: Layers) -> Iterator[Mounts]:
    """Yield mounts of the lower tree and of the changes, for a process with a user namespace. Raises OSError."""
    with contextlib.ExitStack() as stack:
        if access.maps_owners:
            yield tuple(stack.enter_context(mounted_tree(process, one)) for one in (layers.lower, layers.changes))
            return
        mounts = clone_layers(layers, as_root=access.as_root)
        for mounted in mounts:
            stack.callback(os.close, mounted)
        yield mounts


def clone_layers(layers: Layers, *, as_root: bool) -> Mounts:
    """Return mounts of the lower tree and of the changes, attached nowhere. Raises OSError."""
    if as_root:
        lower = mounting.clone_tree(layers.lower, recursive=False)
        try:
            return lower, mounting.clone_tree(layers.changes, recursive=False)
        except BaseException:
            os.close(lower)
            raise
    return clone_as_user(layers)


def clone_as_user(layers: Layers) -> Mounts:
    """Have a child make the mounts: a user may do so in namespaces of their own alone. Raises OSError.

    Of the folders that a process has open, only its root and its working directory move to a new mount namespace with
    it; so the child makes them these.
    """
    ours, childs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, childs:
        child = os.fork()
        if child == 0:
            try:
                ours.close()
                send_clones(layers, childs)
            except OSError as error:
                childs.send(b"%d" % (error.errno or 0))
            finally:
                os._exit(0)
        childs.close()
        try:
            said, mounts, _, _ = socket.recv_fds(ours, 16, 2)
        finally:
            os.waitpid(child, 0)
    if len(mounts) != 2:  # noqa: PLR2004 -- the two layers
        number = int(said or b"0")
        raise OSError(number, os.strerror(number))
    return tuple(mounts)


def send_clones(layers: Layers, channel: socket.socket) -> None:
    """Make mounts of the layers in new namespaces, and send them. Raises OSError."""
    os.fchdir(layers.changes)
    unshare(Namespace.USER)
    os.chroot(".")
    os.fchdir(layers.lower)
    unshare(Namespace.MOUNT)
    places = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in (".", "/")]
    socket.send_fds(channel, [b"m"], [mounting.clone_tree(place, recursive=False) for place in places])


def run_merged(layers: Layers, others: Maps | None, work: Callable[[int], Answer], *, as_root: bool) -> Answer:
    """Return what a function returns for an open folder that shows the two trees as one, in its folder ``root``.

    ``others`` are the users, as for `in_namespace.run_inside`. Raises TargetError when that cannot be, and what the
    function raises.
    """
    try:
        mounts = clone_layers(layers, as_root=as_root)
    except OSError as error:
        raise TargetError(
            f"cannot mount the target's files: {error.strerror}; unpack the bundle with RTRACE_CACHE=off"
        ) from None

    def work_there() -> Answer:
        mounting.mount(None, b"/", None, MountFlag.RECURSIVE | MountFlag.PRIVATE, None)
        os.close(assemble(*mounts))
        return work(os.open(".", directory_flags()))

    namespaces = Namespace.MOUNT if as_root else Namespace.MOUNT | Namespace.USER
    try:
        return answer_from_child(work_there, namespaces, None if as_root else others, layers.place)
    finally:
        for mounted in mounts:
            os.close(mounted)
