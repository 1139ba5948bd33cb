"""Bring back the tree of a chroot target as the bundle has it.

    root.new   the bundle's files, written beside          killed now: the next command removes them
    root <-> root.new   exchanged in one step              from now on the target has the packed state
    root.new   the old files, which are removed            killed now: the next command goes on

Where the system cannot exchange two folders, the old one is renamed away first. Then there is no ``root`` for a moment:
a command that finds none takes what is in ``root.new``, which is whole by then.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from rtrace.elsewhere.sources import Sources
from rtrace.errors import TargetError
from rtrace.files.folders import directory_flags
from rtrace.files.removing import remove_below
from rtrace.files.renaming import exchange, is_there
from rtrace.interrupts import shielded
from rtrace.progress import Progress
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.chroot.exchanging import remove_unfinished
from rtrace_unpackers.chroot.state_words import TREE, TREE_NEW, TREE_OLD
from rtrace_unpackers.files.extraction import extract
from rtrace_unpackers.files.ownership import Ownership
from rtrace_unpackers.isolation.users.ids import Maps
from rtrace_unpackers.isolation.users.in_namespace import reclaim_all
from rtrace_unpackers.target.making import read_material
from rtrace_unpackers.target.removal import refuse_mounts


def reset_tree(  # noqa: PLR0913, PLR0917 -- what is written, where, and as whose
    folder: TargetFolder,
    bundle: Path,
    identity: str,
    ownership: Ownership,
    others: Maps | None,
    progress: Progress,
    sources: Sources,
    complete: Callable[[int], None],
) -> None:
    """Write the bundle's files anew and put them in the place of the tree. Raises BundleError and TargetError.

    The target is locked by the caller, and `mend_tree` has been called.
    """
    refuse_mounts(folder)
    try:
        with read_material(bundle, sources, identity) as (material, contents):
            try:
                os.mkdir(TREE_NEW, 0o700, dir_fd=folder.descriptor)
                with folder.opened(TREE_NEW) as root:
                    extract(material.layout, contents, root, ownership, progress=progress)
                    complete(root)
            except BaseException:
                with shielded(), contextlib.suppress(OSError):  # what resists is found by the next command
                    remove_old(folder.descriptor, TREE_NEW, None)
                raise
    except OSError as error:
        raise TargetError(
            f"cannot write the files of {bundle} beside the old ones in {folder.shown}: {error.strerror}; "
            "nothing was changed"
        ) from None
    with shielded():
        put_in_place(folder.descriptor)
        try:
            clear_away(folder.descriptor, others)
        except OSError as error:
            raise TargetError(
                f"{folder.shown} has the packed state again, but its old files cannot be removed: {error.strerror} "
                f"({error.filename or TREE_NEW}); the next command tries again"
            ) from None


def put_in_place(folder: int) -> None:
    """Make a whole new tree the target's; the old one is left under another name. Raises OSError."""
    if not is_there(folder, TREE):
        os.rename(TREE_NEW, TREE, src_dir_fd=folder, dst_dir_fd=folder)
    elif not exchange(folder, TREE, TREE_NEW):
        os.rename(TREE, TREE_OLD, src_dir_fd=folder, dst_dir_fd=folder)
        os.rename(TREE_NEW, TREE, src_dir_fd=folder, dst_dir_fd=folder)


def mend_tree(folder: int, list_others: Callable[[], Maps | None]) -> tuple[str, ...]:
    """Put in order what a killed process left in the open folder of a target; return a sentence on what it found.

    Raises OSError when something cannot be removed.
    """
    found = []
    if not is_there(folder, TREE) and is_there(folder, TREE_OLD):
        if is_there(folder, TREE_NEW):
            os.rename(TREE_NEW, TREE, src_dir_fd=folder, dst_dir_fd=folder)
            found.append("a reset was killed when the new files were whole: they are in their place now")
        else:
            os.rename(TREE_OLD, TREE, src_dir_fd=folder, dst_dir_fd=folder)
            found.append("a reset was killed, and the old files are in their place again")
    if is_there(folder, TREE_NEW) or is_there(folder, TREE_OLD):
        clear_away(folder, list_others())
        found.append("a reset was killed: removed the files that were not in their place")
    if remove_unfinished(folder):
        found.append("an upload was killed before its file was in its place: removed what was written of it")
    return tuple(found)


def clear_away(folder: int, others: Maps | None) -> None:
    """Remove trees that are not the target's. Raises OSError."""
    for name in (TREE_NEW, TREE_OLD):
        if is_there(folder, name):
            remove_old(folder, name, others)


def remove_old(folder: int, name: str, others: Maps | None) -> None:
    """Remove a tree, whosever its files are and whatever may not be entered. Raises OSError."""
    try:
        tree = os.open(name, directory_flags(), dir_fd=folder)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=folder)
        tree = os.open(name, directory_flags(), dir_fd=folder)
    try:
        reclaim_all(tree, others)
        remove_below(tree)
    finally:
        os.close(tree)
    os.rmdir(name, dir_fd=folder)
