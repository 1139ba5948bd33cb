"""An overlay: a tree that shows a lower one, which stays as it is, and keeps what is changed in a folder of its own.

It is made of two mounts that are attached nowhere yet, in a file system in memory over the working directory:

    lower/      the tree below
    changes/    upper/, what was changed, and work/, which the kernel needs
    root/       the overlay

See Documentation/filesystems/overlayfs.rst in Linux's sources. A user may mount one since Linux 5.11.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from rtrace.linux.libc import call
from rtrace_unpackers.isolation.kernel.mounting import MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, attach

FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432
CLOSE_ON_EXEC = 1
SET_FLAG, SET_STRING, CREATE = 0, 1, 6  # FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE

UPPER, WORK = "upper", "work"
"""The two folders of what is changed."""
PLACES = LOWER, CHANGES, ROOT = "lower", "changes", "root"
"""Where the three mounts are."""
OWN_ATTRIBUTES = (b"user.overlay.", b"trusted.overlay.")
"""How the names of extended attributes begin that mean something to an overlay."""
HIDING_ALL = "user.overlay.opaque"
"""The attribute of a folder of the upper tree that hides what the lower one has in its place; its value is ``y``."""


def assemble(lower: int, changes: int) -> int:
    """Mount an overlay in the working directory, and leave that for the folder with the three mounts in it.

    Return a descriptor of the overlay's root. It is for a mount namespace of one's own. Raises OSError.
    """
    memory = make_filesystem(b"tmpfs", [(b"mode", b"755"), (b"size", b"64k")])
    try:
        attach(memory, b".")
        os.fchdir(memory)
    finally:
        os.close(memory)
    for name, mounted in zip(PLACES, (lower, changes, None), strict=True):
        os.mkdir(name)
        if mounted is not None:
            attach(mounted, name.encode())
    options: list[tuple[bytes, bytes | None]] = [
        (b"lowerdir", LOWER.encode()),
        (b"upperdir", f"{CHANGES}/{UPPER}".encode()),
        (b"workdir", f"{CHANGES}/{WORK}".encode()),
        (b"userxattr", None),  # in a user namespace there are no others; a hostile tree has none of these
    ]
    if os.stat(LOWER).st_dev != os.stat(CHANGES).st_dev:
        options.append((b"xino", b"on"))  # else files and folders would seem to lie on several file systems
    overlay = make_filesystem(b"overlay", options)
    try:
        attach(overlay, ROOT.encode())
    except BaseException:
        os.close(overlay)
        raise
    return overlay


def make_filesystem(kind: bytes, options: Iterable[tuple[bytes, bytes | None]]) -> int:
    """Return the descriptor of a mount, attached nowhere yet, of a new file system; see fsopen(2). Raises OSError.

    Set-uid bits and devices in it are without effect. An option without a value is a flag.
    """
    context = call(FSOPEN, kind, CLOSE_ON_EXEC)
    try:
        for name, value in options:
            call(FSCONFIG, context, SET_FLAG if value is None else SET_STRING, name, value, 0)
        call(FSCONFIG, context, CREATE, None, None, 0)
        return call(FSMOUNT, context, CLOSE_ON_EXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
    finally:
        os.close(context)
