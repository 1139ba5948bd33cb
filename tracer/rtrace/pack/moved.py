"""Where the content of a file is now that a run gave another name to, or that lies below a folder that was renamed.

A rename is not copied by the tracer: the content is at the new name, until a run changes it there, which leaves a copy.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.stamps import keep_inode, keep_time
from rtrace.trace.schema import Use

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.trace.reader import After, Before, Copy, Move

_METADATA = int(Use.METADATA)
_Moment = tuple[int, int]


class Whereabout(NamedTuple):
    """The file that holds what a path held before: it must have this time, None if it is a copy of the tracer's.

    ``moved_to`` is the last name that the runs gave to it, None if it has its own.
    """

    source: bytes
    mtime_ns: int | None
    moved_to: bytes | None


class Finder:
    """Follows files through all renames and links, in all runs."""

    def __init__(
        self, moves: Iterable[Move], copies: Iterable[Copy], results: Iterable[After], snapshots: bytes
    ) -> None:
        """Know what the runs moved, copied and left behind; ``snapshots`` is the folder of the copies."""
        self._moves: dict[bytes, list[tuple[_Moment, str, bytes]]] = {}
        for move in moves:
            moment = (move.run, move.time)
            self._moves.setdefault(move.source, []).append((moment, move.kind, move.destination))
            if move.kind == "exchange":
                self._moves.setdefault(move.destination, []).append((moment, move.kind, move.source))
        self._copies: dict[bytes, list[Copy]] = {}
        for copy in copies:
            self._copies.setdefault(copy.path, []).append(copy)
        self._results: dict[bytes, list[After]] = {}
        for after in results:
            self._results.setdefault(after.path, []).append(after)
        self._snapshots = snapshots

    def find_all(self, files: Iterable[Before]) -> dict[bytes, Whereabout]:
        """Find, by path, those of some files that are not in their place untouched."""
        may_be_elsewhere = (before for before in files if self._moves or before.use & _METADATA)
        found = {before.path: self.find(before) for before in may_be_elsewhere}
        return {path: whereabout for path, whereabout in found.items() if whereabout is not None}

    def find(self, before: Before) -> Whereabout | None:
        """Find a regular file of which no copy was taken under its own name; None where it is in its place untouched.

        When its content is nowhere any more, this tells where it should have been.
        """
        if before.snapshot is not None or before.type != "file":
            return None
        if not self._moves and not before.use & _METADATA:
            return None
        places, last = self._follow(before)
        if len(places) == 1 and not before.use & _METADATA:
            return None
        for place in places:
            if _is_at(place, before, {before.mtime_ns}):
                return Whereabout(place, before.mtime_ns, None if place == before.path else place)
        for place in places:
            copy = self._find_copy(place, before)
            if copy is not None:
                return Whereabout(os.path.join(self._snapshots, os.fsencode(copy)), None, last)
        for place in places:
            times = self._times(place, before)
            if before.problem is None and place not in self._copies and _is_at(place, before, times):
                return Whereabout(
                    place, keep_time(os.lstat(place).st_mtime_ns), None if place == before.path else place
                )
        return None if last is None else Whereabout(last, before.mtime_ns, last)

    def _follow(self, before: Before) -> tuple[list[bytes], bytes | None]:
        """Give every name that the file had, its own first; and the last one if it was renamed, links aside."""
        last: tuple[_Moment, bytes] | None = None
        found = {before.path: (before.run, before.time)}
        pending = [(before.path, (before.run, before.time))]
        while pending:
            path, moment = pending.pop()
            renamed: tuple[_Moment, bytes] | None = None
            for ancestor in _ancestors(path):
                for then, kind, destination in self._moves.get(ancestor, ()):
                    if then < moment:
                        continue
                    if kind == "link":
                        if ancestor == path and destination not in found:
                            found[destination] = then
                            pending.append((destination, then))
                    elif renamed is None or then < renamed[0]:
                        renamed = (then, destination + path[len(ancestor) :])
            if renamed is not None and found.get(renamed[1], (0, 0)) < renamed[0]:
                found[renamed[1]] = renamed[0]
                last = max(last or renamed, renamed)
                pending.append((renamed[1], (renamed[0][0], renamed[0][1] + 1)))
        return list(found), None if last is None else last[1]

    def _find_copy(self, place: bytes, before: Before) -> str | None:
        """Name the copy that a run took at a place, of the same file, unchanged until then."""
        times = self._times(place, before) | {before.mtime_ns}
        for copy in self._copies.get(place, ()):
            same = (copy.size, copy.inode) == (before.size, before.inode) and copy.mtime_ns in times
            if copy.run >= before.run and same:
                return copy.file
        return None

    def _times(self, place: bytes, before: Before) -> set[int | None]:
        """Give the modification times with which runs left the same file there (touch(1) changes no content)."""
        return {
            after.mtime_ns
            for after in self._results.get(place, ())
            if after.run >= before.run and (after.size, after.inode) == (before.size, before.inode)
        }


def _ancestors(path: bytes) -> Iterable[bytes]:
    """Give a path and the folders above it."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def _is_at(place: bytes, before: Before, times: set[int] | set[int | None]) -> bool:
    """Tell whether the file that a run met is now at a place, with one of these times."""
    try:
        state = os.lstat(place)
    except OSError:
        return False
    same = (state.st_dev, keep_inode(state.st_ino), state.st_size) == (before.device, before.inode, before.size)
    return same and stat.S_ISREG(state.st_mode) and keep_time(state.st_mtime_ns) in times
