"""Files that `include:` in a manifest adds, as they are now."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.describe.selection import Choice
from rtrace.files.hierarchy import PROVIDED
from rtrace.files.patterns import Patterns, fixed_beginning
from rtrace.files.stamps import keep_inode, keep_time
from rtrace.files.symlinks import follow_symlinks
from rtrace.trace.reading.reader import Before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
}
PATTERN = "pattern"


def include(patterns: Iterable[bytes], leave_out: Callable[[bytes], bool]) -> tuple[list[Choice], list[bytes]]:
    """Return what patterns match, folders with everything in them, and the patterns that match nothing."""
    found: dict[bytes, Choice] = {}
    unmatched: list[bytes] = []
    for pattern in patterns:
        start = fixed_beginning(pattern)
        resolved = os.path.realpath(start)
        # A person sees symlinks in paths, and the pattern follows that; paths in the bundle have none.
        matcher = Patterns([pattern])
        matched = False
        for path in _walk(resolved):
            seen = start.rstrip(b"/") + path[len(resolved.rstrip(b"/")) :]
            if matcher.match(seen or b"/") and not leave_out(path):
                choice = look_up(path)
                if choice is not None:
                    matched = True
                    found[path] = choice
        if matched:
            found.update((link, choice) for link, choice in _links_on_the_way(start) if not leave_out(link))
        else:
            unmatched.append(pattern)
    debug(__name__, "`include:` matches %d paths; patterns that match nothing: %d", len(found), len(unmatched))
    return [found[path] for path in sorted(found)], unmatched


def _walk(path: bytes) -> Iterator[bytes]:
    """Yield a path and everything below it, without following symlinks and without what the replay provides."""
    if path in PROVIDED:
        return
    if os.path.lexists(path):
        yield path
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in PROVIDED]
        for name in (*folders, *files):
            yield os.path.join(folder, name)


def _links_on_the_way(path: bytes) -> Iterator[tuple[bytes, Choice]]:
    """Yield the symlinks on the way to a path, each with its own path resolved."""
    with contextlib.suppress(OSError):  # ELOOP: the path leads nowhere, and the pattern matches nothing
        for step in follow_symlinks(path, _read_link):
            choice = look_up(step.place) if step.target is not None else None
            if choice is not None:
                yield step.place, choice


def _read_link(path: bytes) -> bytes | None:
    try:
        return os.readlink(path)
    except OSError:  # EINVAL: no symlink; ENOENT, EACCES: nothing that could be packed
        return None


def look_up(path: bytes, reason: str = PATTERN) -> Choice | None:
    """Return what is at a path now; None if there is nothing, or nothing that a bundle can hold."""
    try:
        state = os.lstat(path)
        kind = _TYPES.get(stat.S_IFMT(state.st_mode))
        target = os.readlink(path) if kind == "symlink" else None
    except OSError:
        return None
    if kind is None:
        return None
    before = Before(
        path, 0, 0, kind, stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid, state.st_size,
        keep_time(state.st_mtime_ns), state.st_dev, keep_inode(state.st_ino), state.st_nlink, target,
        keep_time(state.st_ctime_ns), 0, None, None,
    )  # fmt: skip
    return Choice(before, reason, placeholder=False)
