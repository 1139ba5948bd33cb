"""Files that a manifest's ``include`` adds: found now, as they are now."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from rtrace.describe.selection import Choice
from rtrace.files.hierarchy import PROVIDED
from rtrace.files.patterns import Patterns, fixed_beginning
from rtrace.files.stamps import keep_inode, keep_time
from rtrace.trace.reader import Before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
}
REASON = "pattern"
_MOST_LINKS = 40


def include(patterns: Iterable[bytes], leave_out: Callable[[bytes], bool]) -> tuple[list[Choice], list[bytes]]:
    """Find what patterns match, folders with all that lies in them; and tell which patterns matched nothing."""
    found: dict[bytes, Choice] = {}
    unmatched: list[bytes] = []
    for pattern in patterns:
        start = fixed_beginning(pattern)
        resolved = os.path.realpath(start)
        # The pattern speaks of the path that a person sees, the bundle of the path without symlinks.
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
    return [found[path] for path in sorted(found)], unmatched


def _walk(path: bytes) -> Iterator[bytes]:
    """Give a path and all below it, following no symlink and leaving out what the replay provides."""
    if path in PROVIDED:
        return
    if os.path.lexists(path):
        yield path
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in PROVIDED]
        for name in (*folders, *files):
            yield os.path.join(folder, name)


def _links_on_the_way(path: bytes) -> Iterator[tuple[bytes, Choice]]:
    """Give the symlinks that lead to a path, each by its resolved folder."""
    pending = [part for part in reversed(path.split(b"/")) if part not in {b"", b"."}]
    here = b"/"
    links = 0
    while pending and links <= _MOST_LINKS:
        part = pending.pop()
        if part == b"..":
            here = os.path.dirname(here)
            continue
        place = os.path.join(here, part)
        choice = look_up(place)
        if choice is None or choice.before.target is None:
            here = place
            continue
        links += 1
        yield place, choice
        target = choice.before.target
        here = b"/" if target.startswith(b"/") else here
        pending += [part for part in reversed(target.split(b"/")) if part not in {b"", b"."}]


def look_up(path: bytes, reason: str = REASON) -> Choice | None:
    """Choose what is at a path now; None where there is nothing that a bundle can hold."""
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
