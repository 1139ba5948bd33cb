"""Rename without replacing what has the new name already."""

from __future__ import annotations

import ctypes
import errno
import os

_RENAME_NOREPLACE = 1
_MISSING = {errno.ENOSYS, errno.EINVAL}


def rename_new(parent: int, old: str | bytes, new: str | bytes) -> None:
    """Rename something within an open folder. Raises FileExistsError when the new name is taken.

    See renameat2(2). Where kernel or file system cannot do it in one step, it is looked up before.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library from before 2018
        number = errno.ENOSYS
    else:
        old_name, new_name = os.fsencode(old), os.fsencode(new)
        if rename(parent, old_name, parent, new_name, ctypes.c_uint(_RENAME_NOREPLACE)) == 0:
            return
        number = ctypes.get_errno()
    if number not in _MISSING:
        raise OSError(number, os.strerror(number), os.fsdecode(new))
    if is_there(parent, new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(new))
    os.rename(old, new, src_dir_fd=parent, dst_dir_fd=parent)


def is_there(parent: int, name: str | bytes) -> bool:
    """Whether there is something of a name in an open folder, if only a dangling symlink."""
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
