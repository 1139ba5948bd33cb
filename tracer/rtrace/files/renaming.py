"""Rename without replacing what has the new name already, or exchange two names."""

from __future__ import annotations

import errno
import os

_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2
_MISSING = {errno.ENOSYS, errno.EINVAL}


def rename_new(parent: int, old: str | bytes, new: str | bytes) -> None:
    """Rename something within an open folder. Raises FileExistsError when the new name is taken.

    See renameat2(2). Where kernel or file system cannot do it in one step, it is looked up before.
    """
    from rtrace.linux.libc import check, load_libc

    try:
        rename = load_libc().renameat2
    except AttributeError:  # a C library from before 2018
        pass
    else:
        try:
            check(rename(parent, os.fsencode(old), parent, os.fsencode(new), _RENAME_NOREPLACE))
        except OSError as error:
            if error.errno not in _MISSING:
                raise OSError(error.errno, error.strerror, os.fsdecode(new)) from None
        else:
            return
    if is_there(parent, new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(new))
    os.rename(old, new, src_dir_fd=parent, dst_dir_fd=parent)


def exchange(parent: int, one: str | bytes, other: str | bytes) -> bool:
    """Exchange two names in an open folder in one step; return False where that cannot be. Raises OSError.

    See renameat2(2).
    """
    from rtrace.linux.libc import check, load_libc

    try:
        check(load_libc().renameat2(parent, os.fsencode(one), parent, os.fsencode(other), _RENAME_EXCHANGE))
    except AttributeError:  # a C library from before 2018
        return False
    except OSError as error:
        if error.errno not in _MISSING:
            raise
        return False
    return True


def is_there(parent: int, name: str | bytes) -> bool:
    """Whether there is something of a name in an open folder, if only a dangling symlink."""
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
