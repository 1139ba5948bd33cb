"""Remove a target, and nothing but the target.

It gets a name of its own first, under which it is a leftover: when this is killed, the next command goes on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from rtrace.errors import TargetError
from rtrace.files.locks import LOCK_FILE
from rtrace.files.workspaces import Workspace, removal_prefix, set_aside
from rtrace.printable import printable
from rtrace.replay.target_folder import TargetFolder
from rtrace.replay.uploads import OWN_NAMES

_SHOWN = 3


def remove_tree(path: Path) -> None:
    """Remove the folder of a target, with all that is in it.

    Raises TargetError before anything is removed when it is not this user's alone, or something is mounted in it, and
    when a part of it resists; BusyError when another process uses it.
    """
    folder = TargetFolder(path)
    try:
        remove_target(folder)
    finally:
        folder.close()


def remove_target(folder: TargetFolder, made: Iterable[str] | None = None) -> None:
    """Remove the open folder of a target.

    With ``made``, all the names that rtrace makes in it, nothing is removed when there is another one.
    Raises TargetError and BusyError as `remove_tree` does.
    """
    with folder.lock() as lock:
        refuse_mounts(folder)
        if made is not None:
            refuse_others_files(folder, made)
        try:
            name = set_aside(folder.parent, folder.name, folder.descriptor, removal_prefix(folder.name))
            path = folder.path.with_name(os.fsdecode(name))
            Workspace(folder.parent, name, path, folder.descriptor, lock).remove()
        except OSError as error:
            raise TargetError(
                f"cannot remove all of {folder.shown}: {error.strerror}; `rtrace doctor --clean` removes what is left "
                "when that is mended"
            ) from None


def refuse_others_files(folder: TargetFolder, made: Iterable[str]) -> None:
    """Raise TargetError when there is something in the folder of a target that rtrace did not make."""
    own = {*made, LOCK_FILE, *OWN_NAMES}
    others = sorted(os.fsencode(name) for name in os.listdir(folder.descriptor) if name not in own)
    if others:
        shown = ", ".join(map(printable, others[:_SHOWN])) + (" and others" if len(others) > _SHOWN else "")
        raise TargetError(
            f"{folder.shown} holds what rtrace did not make ({shown}): move it elsewhere first, nothing was removed"
        )


def refuse_mounts(folder: TargetFolder) -> None:
    """Raise TargetError when something is mounted at a folder or below it; a walk could not always tell."""
    places = list_mounts()
    path = os.readlink(b"/proc/self/fd/%d" % folder.descriptor) if places else b""
    for place in places:
        if place == path or place.startswith(path.rstrip(b"/") + b"/"):
            raise TargetError(f"{printable(place)} is mounted in the target: unmount it first, nothing was removed")


def list_mounts() -> list[bytes]:
    """Return where file systems are mounted; see proc(5), mountinfo. Nothing where the system does not tell."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return [unescape(line.split(b" ")[4]) for line in file]
    except OSError:
        return []


def unescape(field: bytes) -> bytes:
    r"""Decode the octal escapes (``\040``) of mountinfo."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
