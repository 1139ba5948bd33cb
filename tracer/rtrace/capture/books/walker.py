"""Path resolution as the kernel does it, component by component, which returns every symlink on the way.

See path_resolution(7). What is known to be a folder or a symlink is remembered, so that a further path below a
folder that was walked before costs one lstat(2).
"""

from __future__ import annotations

import errno
import os
from stat import S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from rtrace.capture.books.unobserved import MISSING, PROC, ServedError, is_missing
from rtrace.files.symlinks import MOST_LINKS

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")
SELVES = (b"/proc/self", b"/proc/thread-self")
NO_NAMES = frozenset({b"", b".", b".."})


def is_file_name(target: bytes) -> bool:
    """Whether a magic link of proc(5) leads to a path: not to a pipe, a socket, or a removed file."""
    return target.startswith(b"/") and not target.endswith(b" (deleted)")


def ask(question: Callable[[bytes], Answer], path: bytes, tid: int) -> Answer | None:
    """Ask the kernel about a path; None if the thread finds nothing there, either. Raises OSError if it may."""
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
        """Stay out of filesystems that the run itself serves (FUSE): the server may be waiting for us right now."""
        if any((path + b"/").startswith(mount + b"/") for mount in self.served):
            raise ServedError(errno.EPERM, "served by the run itself", path)

    def _step(self, base: bytes, path: bytes) -> Walk | None:
        """Take the shortest way, to what is no symlink in a known folder; None if the way is longer.

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
        start = root if path.startswith(b"/") else (b"" if base == b"/" else base)
        if not self.served and (end := self._step(start, path)):
            return end
        follow = follow or path.endswith((b"/", b"/."))
        return _Way(self, start, path, follow=follow, root=root, caller=(tgid, tid)).walk()


class _Way:
    """One path on its way from folder to folder, by the kernel's rules.

        name       what is there             what the kernel does, and what we note
        ---------  ------------------------  ------------------------------------------------------------------
        none, .    -                         stay
        ..         -                         go up, but never above the root; the folder that is left has to exist
        any other  a folder                  go down into it, and remember it
                   nothing                   end: it is missing, and so is all that comes after it
                   no folder, names follow   end with ENOTDIR: its name with a slash is missing
                   no folder                 end there
                   a symlink, the last one,
                   that is not followed      end there
                   a symlink of /proc to
                   what has no path          end there: a pipe, a socket, a removed file
                   the 41st symlink          end with ELOOP: its name with a slash is missing
                   a symlink                 go on by its target, from its folder or from the root; it has to exist

    Folders and symlinks in /proc come and go with processes: they are neither remembered nor noted. What lies below a
    process's own folder there means something else to each process, and makes the walk volatile.
    """

    __slots__ = ("caller", "current", "follow", "links", "passed", "pending", "root", "status", "volatile", "walker")

    def __init__(
        self, walker: Walker, start: bytes, path: bytes, *, follow: bool, root: bytes, caller: tuple[int, int]
    ) -> None:
        """Begin at a folder; ``caller`` are the ids of the process and of the thread that ask."""
        self.walker = walker
        self.root = root
        self.caller = caller
        self.follow = follow
        self.current = start
        self.pending = path.split(b"/")[::-1]
        self.passed: list[bytes] = []
        self.links = 0
        self.status: os.stat_result | None = None
        self.volatile = False

    def walk(self) -> Walk:
        """Take name after name until the path ends, by its last name or before."""
        pending = self.pending
        while pending:
            name = pending.pop()
            if name == b"..":
                self._go_up()
            elif name not in (b"", b"."):
                end = self._enter(self.current + b"/" + name)
                if end is not None:
                    return end
        return Walk(self.current or b"/", self.status, self.passed, None, self.volatile)

    def _go_up(self) -> None:
        if self.current != self.root:
            if not self.current.startswith(PROC):
                self.passed.append(self.current)
            self.current = self.current.rpartition(b"/")[0]
        self.status = None

    def _enter(self, place: bytes) -> Walk | None:
        """Go to a place, and on if it is a symlink; return where the path ends, None if it does not end here."""
        walker = self.walker
        if walker.served:
            walker.refuse_served(place)
        if place in walker.directories:
            self.current, self.status = place, None
            return None
        target = walker.links.get(place) or self._name_self(place)
        if target is None:
            self.status = status = ask(os.lstat, place, self.caller[1])
            if status is None:
                return self._miss(place)
            if S_ISDIR(status.st_mode):
                self._go_down(place)
                return None
            if not S_ISLNK(status.st_mode):  # if anything follows, even a slash alone, the kernel answers ENOTDIR
                return self._end(place, missing=place + b"/" if self.pending else None)
            target = ask(os.readlink, place, self.caller[1])
            if target is None:
                return self._end(place, missing=place)
            if not place.startswith(PROC):
                walker.links[place] = target
        return self._follow(place, target)

    def _name_self(self, place: bytes) -> bytes | None:
        """Return where the symlinks lead that mean another process to each one; None for any other path."""
        if place not in SELVES:
            return None
        self.volatile = True
        self.status = None
        return b"%d" % self.caller[0] if place == SELVES[0] else b"%d/task/%d" % self.caller

    def _go_down(self, folder: bytes) -> None:
        if not folder.startswith(PROC):
            self.walker.directories.add(folder)
        elif folder[len(PROC) : len(PROC) + 1].isdigit():
            self.volatile = True
        self.current = folder

    def _follow(self, link: bytes, target: bytes) -> Walk | None:
        """Go on by a symlink's target; return where the path ends, None if it goes on."""
        if not self.follow and not any(name not in (b"", b".") for name in self.pending):
            return self._end(link)
        if link.startswith(PROC):
            if self.volatile and link not in SELVES and not is_file_name(target):
                return self._end(link)
        else:
            self.passed.append(link)
        self.links += 1
        if self.links > MOST_LINKS:
            self.status = os.lstat(link)
            return self._end(link, missing=link + b"/")
        if target.startswith(b"/"):
            self.current = self.root
        self.status = None
        self.pending += target.split(b"/")[::-1]
        return None

    def _end(self, place: bytes, *, missing: bytes | None = None) -> Walk:
        return Walk(place, self.status, self.passed, missing, self.volatile)

    def _miss(self, place: bytes) -> Walk:
        """End where nothing is: the path is what it would be if all that is missing were made."""
        rest = [name for name in reversed(self.pending) if name not in (b"", b".")]
        return Walk(b"/".join([place, *rest]), None, self.passed, place, self.volatile)
