"""Path resolution as the kernel does it, component by component, with every symlink on the way told.

See path_resolution(7). What is known to be a folder or a symlink is remembered, so that a further path below a
folder that was walked before costs one lstat(2).
"""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from rtrace.capture.books.unobserved import MISSING, ServedError, is_missing

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")
MAX_LINKS = 40  # MAXSYMLINKS of the kernel's fs/namei.c
SELVES = (b"/proc/self", b"/proc/thread-self")
NO_NAMES = frozenset({b"", b".", b".."})


def is_file_name(target: bytes) -> bool:
    """Tell whether a magic link of proc(5) leads to a path: not to a pipe, a socket, or a removed file."""
    return target.startswith(b"/") and not target.endswith(b" (deleted)")


def ask(question: Callable[[bytes], Answer], path: bytes, tid: int) -> Answer | None:
    """Ask the kernel about a path; None where a thread meets no such file, either. Raises OSError where it may."""
    try:
        return question(path)
    except OSError as error:
        if error.errno == errno.EINVAL or is_missing(error, path, tid):  # EINVAL: it is no symlink any more
            return None
        raise


class Walk(NamedTuple):
    """Where a path leads.

    ``path`` is absolute, without symlinks but possibly the last component. ``status`` is its lstat where the walk
    needed one. ``passed`` is what has to be there on the way: the symlinks that were followed, and the folders that
    ``..`` led out of. ``missing`` is the first component that does not exist (the kernel's answer would be ENOENT or
    EACCES), None when the path exists; where the way ends at what is there (ELOOP, ENOTDIR), it is that with a slash,
    which nothing can make. ``volatile`` marks a path that means something else to each process, as /proc/self does.
    """

    path: bytes
    status: os.stat_result | None
    passed: list[bytes]
    missing: bytes | None
    volatile: bool


class Walker:
    """Resolves paths for processes; remembers folders and symlinks until it is told that they may have changed."""

    def __init__(self) -> None:
        """Begin with nothing known; ``served`` are the mount points of filesystems that the run itself serves."""
        self.directories: set[bytes] = set()
        self.served: set[bytes] = set()
        self.links: dict[bytes, bytes] = {}

    def forget(self) -> None:
        """Forget all: a folder or symlink was renamed or removed, so any path may lead elsewhere now."""
        self.directories.clear()
        self.links.clear()

    def refuse_served(self, path: bytes) -> None:
        """Keep away from filesystems of which the run is the server (FUSE): it may be waiting for us right now."""
        if any((path + b"/").startswith(mount + b"/") for mount in self.served):
            raise ServedError(errno.EPERM, "served by the run itself", path)

    def _step(self, base: bytes, path: bytes) -> Walk | None:
        """Take the shortest way, to what is no symlink in a folder that is known; None where there is a longer one.

        An empty path stands for the base itself, as in a call on a descriptor.
        """
        if path[:1] == b"/":
            path = base + path
        else:
            path = base + b"/" + (path[2:] if path[:2] == b"./" else path) if path else base
        folder, _, name = path.rpartition(b"/")
        if folder not in self.directories or name in NO_NAMES or folder == b"/proc":
            return None
        try:
            status = os.lstat(path)
        except OSError as error:
            return Walk(path, None, [], path, volatile=False) if error.errno in MISSING else None
        if S_ISLNK(status.st_mode):
            return None
        if S_ISDIR(status.st_mode):
            self.directories.add(path)
        return Walk(path, status, [], None, volatile=False)

    def walk(self, base: bytes, path: bytes, *, follow: bool, tgid: int, tid: int, root: bytes = b"") -> Walk:
        """Resolve ``path`` from the folder ``base``, for thread ``tid`` of process ``tgid`` with ``root`` as its ``/``.

        ``base`` is absolute and resolved; ``root`` is empty for the tracer's own root. The last component is followed
        when ``follow`` says so or when a slash comes after it. Raises OSError for what the run serves itself, and where
        the tracer cannot look although the thread may.
        """
        current = root if path.startswith(b"/") else (b"" if base == b"/" else base)
        if not self.served and (end := self._step(current, path)):
            return end
        pending = path.split(b"/")[::-1]
        follow = follow or path.endswith((b"/", b"/."))
        directories = self.directories
        passed: list[bytes] = []
        followed = 0
        status: os.stat_result | None = None
        volatile = False
        while pending:
            name = pending.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                if current != root and not current.startswith(b"/proc/"):
                    passed.append(current)
                current, status = (root if current == root else current.rpartition(b"/")[0]), None
                continue
            candidate = current + b"/" + name
            if self.served:
                self.refuse_served(candidate)
            if candidate in directories:
                current, status = candidate, None
                continue
            process_file = candidate.startswith(b"/proc/")
            target = self.links.get(candidate)
            if target is None:
                if candidate in SELVES:
                    volatile = True
                    target = b"%d" % tgid if candidate == b"/proc/self" else b"%d/task/%d" % (tgid, tid)
                else:
                    status = ask(os.lstat, candidate, tid)
                    if status is None:
                        rest = [part for part in reversed(pending) if part not in (b"", b".")]
                        return Walk(b"/".join([candidate, *rest]), None, passed, candidate, volatile)
                    if S_ISDIR(status.st_mode):
                        if process_file:
                            volatile = volatile or candidate[6:7].isdigit()
                        else:
                            directories.add(candidate)
                        current = candidate
                        continue
                    if not S_ISLNK(status.st_mode):
                        if pending:  # ENOTDIR: even a slash alone after a file's name
                            return Walk(candidate, status, passed, candidate + b"/", volatile)
                        return Walk(candidate, status, passed, None, volatile)
                    target = ask(os.readlink, candidate, tid)
                    if target is None:
                        return Walk(candidate, status, passed, candidate, volatile)
                    if not process_file:
                        self.links[candidate] = target
            if not follow and not any(part not in (b"", b".") for part in pending):
                return Walk(candidate, status, passed, None, volatile)
            if process_file and volatile and candidate not in SELVES and not is_file_name(target):
                return Walk(candidate, status, passed, None, volatile)
            if not process_file:
                passed.append(candidate)
            followed += 1
            if followed > MAX_LINKS:
                return Walk(candidate, os.lstat(candidate), passed, candidate + b"/", volatile)
            if target.startswith(b"/"):
                current = root
            status = None
            pending += target.split(b"/")[::-1]
        return Walk(current or b"/", status, passed, None, volatile)
