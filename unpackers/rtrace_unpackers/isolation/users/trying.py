"""Whether an overlay can be mounted here, and whether a program in it is served as in a folder: tried in a child."""

from __future__ import annotations

import errno
import os
import socket

from rtrace.debugging import debug
from rtrace_unpackers.isolation.kernel import mounting
from rtrace_unpackers.isolation.kernel.mounting import MountFlag
from rtrace_unpackers.isolation.kernel.namespaces import Namespace, unshare
from rtrace_unpackers.isolation.kernel.overlays import assemble
from rtrace_unpackers.isolation.users.access import Access, MappedBy
from rtrace_unpackers.isolation.users.in_namespace import enter
from rtrace_unpackers.isolation.users.layers import Layers, mounted_layers
from rtrace_unpackers.isolation.users.user_namespace import write_maps

PROBE = "rtrace-probe"
READY = b"r"
LONGEST = 1000


def find_problem(layers: Layers, access: Access, known: str) -> str | None:
    """Mount the layers as a replay with such access would, and use them; return why that failed, None when it did not.

    ``known`` is the name of a regular file in the lower tree. What is in the upper one afterwards is to be removed.
    """
    ours, childs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, childs:
        child = os.fork()
        if child == 0:
            try:
                ours.close()
                try:
                    be_inside(layers, access, childs, known)
                    childs.send(b"works")
                except OSError as error:
                    childs.send(str(error).encode(errors="replace")[:LONGEST])
            finally:
                os._exit(0)
        childs.close()
        try:
            said = ours.recv(LONGEST)
            if said != READY:
                return said.decode(errors="replace") or "there are no user namespaces"
            if access.as_root:
                write_maps(child, access)
            with mounted_layers(access, child, layers) as mounts:
                socket.send_fds(ours, [b"m"], mounts)
                said = ours.recv(LONGEST)
        except OSError as error:
            return str(error)
        finally:
            ours.close()
            os.waitpid(child, 0)
    debug(__name__, "an overlay: %s", said.decode(errors="replace"))
    return None if said == b"works" else said.decode(errors="replace") or "the process that tried it ended"


def be_inside(layers: Layers, access: Access, channel: socket.socket, known: str) -> None:
    """Enter namespaces, mount the layers, and use them. Raises OSError.

    A user is the only one there: other users make no difference to an overlay.
    """
    os.fchdir(layers.place)
    if access.mapped_by is MappedBy.ROOT:
        unshare(Namespace.USER)
    else:
        enter(Namespace.USER, channel, None)
    channel.send(READY)
    _, mounts, _, _ = socket.recv_fds(channel, 1, 2)
    if access.mapped_by is MappedBy.ROOT:
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    unshare(Namespace.MOUNT)
    mounting.mount(None, b"/", None, MountFlag.RECURSIVE | MountFlag.PRIVATE, None)
    lower, changes = mounts
    os.fchdir(assemble(lower, changes))
    use_overlay(known)


def use_overlay(known: str) -> None:
    """Do in the working directory, an overlay, what programs do in a folder. Raises OSError where that fails."""
    made = os.open(PROBE, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.setxattr(made, "user.rtrace", b"1")
    os.close(os.open(".", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600))
    devices = {os.stat(path).st_dev for path in (".", PROBE, known)}
    if len(devices) != 1:
        raise OSError(errno.EXDEV, "its files seem to lie on several file systems")
    inode = os.stat(known).st_ino
    os.close(os.open(known, os.O_WRONLY | os.O_CLOEXEC))
    if os.stat(known).st_ino != inode:
        raise OSError(errno.ESTALE, "its files get other numbers when they are changed")
    os.rename(PROBE, known)
