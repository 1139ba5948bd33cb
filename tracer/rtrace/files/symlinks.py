"""Follow the symlinks of a path, wherever they are kept: on a disk, in a bundle, in a list of a tar's members.

The tracer's own walker (`capture/books/walker.py`) does more, once for every path of a run: it remembers folders, knows
/proc, and tells what is missing.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_LINKS = 40  # MAXSYMLINKS of the kernel's fs/namei.c


class PathStep(NamedTuple):
    """One name on the way: the folder in which it is looked up, without symlinks, and what the symlink there says.

    The root is the empty path. ``target`` is None for what is no symlink. ``is_last`` says that no name comes after.
    """

    folder: bytes
    name: bytes
    target: bytes | None
    is_last: bool

    @property
    def place(self) -> bytes:
        """The path of what has the name: a folder, a file, or the symlink itself. The root's parent is the root."""
        return self.folder.rpartition(b"/")[0] if self.name == b".." else self.folder + b"/" + self.name

    @property
    def onward(self) -> bytes:
        """The path from which the way goes on, and at which it ends if nothing is left of it."""
        if self.target is None:
            return self.place
        return b"" if self.target.startswith(b"/") else self.folder


def follow_symlinks(path: bytes, read_link: Callable[[bytes], bytes | None], folder: bytes = b"") -> Iterator[PathStep]:
    """Yield each step from a folder to where a path leads, as the kernel takes them; see path_resolution(7).

    ``read_link`` says where the symlink at a path leads, None if there is none. What does not exist is passed like a
    folder. Raises OSError (ELOOP) after more symlinks than the kernel follows.
    """
    here = b"" if path.startswith(b"/") else folder
    pending = _split_backwards(path)
    links = 0
    while pending:
        name = pending.pop()
        target = None if name == b".." else read_link(here + b"/" + name)
        step = PathStep(here, name, target, not pending)
        yield step
        here = step.onward
        if target is not None:
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), step.place)
            pending += _split_backwards(target)


def _split_backwards(path: bytes) -> list[bytes]:
    return [name for name in reversed(path.split(b"/")) if name not in {b"", b"."}]
