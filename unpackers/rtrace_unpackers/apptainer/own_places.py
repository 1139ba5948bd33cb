"""The places in an image that are Apptainer's own.

Where `apptainer build` writes, it follows symbolic links as they are on this machine: one in these places would have it
write to a file of the machine. So what is Apptainer's own is left out of the image, and a bundle in which a folder on
the way leads out of its files is refused. What is in the folder `ENVIRONMENT` of a container is executed as shell
scripts before the run begins.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from collections.abc import Mapping, Sequence

from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import TargetError
from rtrace.printable import printable
from rtrace_unpackers.files.descent import exists_in

SCRIPTS = b"/.singularity.d"
ENVIRONMENT = SCRIPTS + b"/env"
ITS_OWN = frozenset((b"/.exec", b"/.run", b"/.shell", b"/.test", b"/environment", b"/singularity"))
"""Links that it makes."""
REPLACED = frozenset((b"/etc/hosts", b"/etc/resolv.conf"))
"""Files that it makes where there are none; a container has its own."""
FOLDERS = (b"/dev", b"/etc", b"/home", b"/proc", b"/root", b"/sys", b"/tmp", b"/var", b"/var/tmp")
"""Folders that it makes where there are none."""
INSTEAD = "use the chroot or docker unpacker"
MOST_LINKS = 40


def choose_entries(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the entries of an image for Apptainer. Raises TargetError where it would write outside of it."""
    taken = next((entry for entry in entries if parent_is_its_own(entry.path)), None)
    if taken is not None:
        raise TargetError(f"the bundle holds {printable(taken.path)}, where Apptainer's images have a link; {INSTEAD}")
    left_out = {entry.path for entry in entries if is_left_out(entry)}
    kept = tuple(entry for entry in entries if entry.path not in left_out)
    for entry in kept:
        other = next((path for path in (entry.link, entry.copy_of, entry.twin) if path in left_out), None)
        if other is not None:
            raise TargetError(
                f"{printable(entry.path)} is the same file as {printable(other)}, which is Apptainer's own in its "
                f"images; {INSTEAD}"
            )
    links = {entry.path: entry.target or b"" for entry in kept if entry.type is FileType.SYMLINK}
    for folder in FOLDERS:
        if leads_out(folder, links):
            raise TargetError(
                f"{printable(folder)} is, or is reached by, a symbolic link of the bundle through which Apptainer "
                f"would write to files of this machine; {INSTEAD}"
            )
    return kept


def parent_is_its_own(path: bytes) -> bool:
    """Whether a path lies below one that is a link in Apptainer's images."""
    return any(path.startswith(own + b"/") for own in ITS_OWN)


def is_left_out(entry: Entry) -> bool:
    """Whether a file is none of an image for Apptainer."""
    if entry.path in ITS_OWN or entry.path == SCRIPTS or entry.path.startswith(SCRIPTS + b"/"):
        return True
    return entry.path in REPLACED and entry.type is FileType.SYMLINK


def leads_out(path: bytes, links: Mapping[bytes, bytes]) -> bool:
    """Whether a path in a tree leads out of it, for who takes the tree for a folder like any other."""
    names, at = path.strip(b"/").split(b"/"), b"/"
    followed = 0
    while names:
        name = names.pop(0)
        if name == b"..":
            if at == b"/":
                return True
            at = posixpath.dirname(at)
            continue
        if name in {b"", b"."}:
            continue
        target = links.get(posixpath.join(at, name))
        if target is None:
            at = posixpath.join(at, name)
            continue
        followed += 1
        if target.startswith(b"/") or followed > MOST_LINKS:
            return True
        names = [*target.split(b"/"), *names]
    return False


def has_scripts(tree: int) -> bool:
    """Whether an open tree has the folder of scripts that are executed before a run. Raises TargetError for a link."""
    if exists_in(tree, ENVIRONMENT):
        return True
    for path in (SCRIPTS, ENVIRONMENT):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISLNK(os.stat(path[1:], dir_fd=tree, follow_symlinks=False).st_mode):
                raise TargetError(
                    f"the target's {printable(path)} is a symbolic link to scripts that Apptainer would execute; "
                    "`rtrace reset` may help, or the chroot or docker unpacker"
                )
    return False
