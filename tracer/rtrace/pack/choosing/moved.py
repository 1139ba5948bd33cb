"""Find the content of files that a run renamed, or whose time it set.

The tracer does not copy what is renamed: the content is under the new name, until a run changes it there, which leaves
a copy. So all names are followed that a file had, from the moment when a run first met it:

    link(a, b)      the file has both names from then on
    rename(a, b)    a file that was called a, or lay below a, is called b from then on

Under each name there may be the file itself or copies of it. It is the same file if device, inode and size are those
that the run met; what its time says of the content decides which candidate is taken:

    1. the file as it is now      it has the time that the run met: nobody has written to it
    2. a copy, taken under a name the file then had the time that the run met, or one that a run left it with
    3. the file as it is now      it has a time that a run left it with, as touch(1) does; no run changed its content

Where there is no candidate, the content is lost, and the last name says where it should have been.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.stamps import keep_inode, keep_time
from rtrace.trace.schema import Use

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from rtrace.trace.reading.reader import After, Before, Copy, Move

_METADATA = int(Use.METADATA)


class _Moment(NamedTuple):
    """A time within a run."""

    run: int
    time: int


class Location(NamedTuple):
    """The file that holds what a path held before: it must have this time; None means any time, as for copies.

    ``moved_to`` is the last name that the runs gave the file, None if it has its own.
    """

    source: bytes
    mtime_ns: int | None
    moved_to: bytes | None


class MovedFiles:
    """Follows files through all renames and links, in all runs."""

    def __init__(
        self, moves: Iterable[Move], copies: Iterable[Copy], results: Iterable[After], snapshots: bytes
    ) -> None:
        """Start with what the runs moved, copied and left behind; ``snapshots`` is the folder of the copies."""
        self._moves: dict[bytes, list[tuple[_Moment, str, bytes]]] = {}
        for move in moves:
            moment = _Moment(move.run, move.time)
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

    def find_all(self, files: Iterable[Before]) -> dict[bytes, Location]:
        """Return, by path, where the content is of those files that are not untouched in their place."""
        candidates = (before for before in files if self._moves or before.use & _METADATA)
        found = {before.path: self.find(before) for before in candidates}
        return {path: location for path, location in found.items() if location is not None}

    def find(self, before: Before) -> Location | None:
        """Return where the content of a file is; None if it was copied under its own name or is in its place."""
        if before.snapshot is not None or before.type != "file":
            return None
        if not self._moves and not before.use & _METADATA:
            return None
        names, last = self._follow(before)
        if len(names) == 1 and not before.use & _METADATA:
            return None
        lost = None if last is None else Location(last, before.mtime_ns, last)
        return next(self._find_candidates(before, names, last), lost)

    def _find_candidates(self, before: Before, names: Collection[bytes], last: bytes | None) -> Iterator[Location]:
        """Yield where the content may be, the surest place first: see the head of this file."""
        for name in names:
            if _is_at(name, before, {before.mtime_ns}):
                yield Location(name, before.mtime_ns, None if name == before.path else name)
        for name in names:
            copy = self._find_copy(name, before)
            if copy is not None:
                yield Location(os.path.join(self._snapshots, os.fsencode(copy)), None, last)
        for name in names if before.problem is None else ():
            if name not in self._copies and _is_at(name, before, self._find_times(name, before)):
                mtime_ns = keep_time(os.lstat(name).st_mtime_ns)
                yield Location(name, mtime_ns, None if name == before.path else name)

    def _follow(self, before: Before) -> tuple[list[bytes], bytes | None]:
        """Return every name that a file had, its own first, and the last one that a rename gave it."""
        start = _Moment(before.run, before.time)
        last: tuple[_Moment, bytes] | None = None
        found = {before.path: start}
        pending = [(before.path, start)]
        while pending:
            path, since = pending.pop()
            for when, link in self._find_links(path, since):
                if link not in found:
                    found[link] = when
                    pending.append((link, when))
            renamed = self._find_rename(path, since)
            if renamed is not None and found.get(renamed[1], _Moment(0, 0)) < renamed[0]:
                when, name = renamed
                found[name] = when
                last = max(last or renamed, renamed)
                pending.append((name, _Moment(when.run, when.time + 1)))
        return list(found), None if last is None else last[1]

    def _find_links(self, path: bytes, since: _Moment) -> Iterator[tuple[_Moment, bytes]]:
        """Yield the further names that a file got while it had a name, and when."""
        for when, kind, destination in self._moves.get(path, ()):
            if kind == "link" and when >= since:
                yield when, destination

    def _find_rename(self, path: bytes, since: _Moment) -> tuple[_Moment, bytes] | None:
        """Return the first rename of a path, or of a folder above it, and the name it gave the file."""
        renames = (
            (when, destination + path[len(place) :])
            for place in _climb(path)
            for when, kind, destination in self._moves.get(place, ())
            if kind != "link" and when >= since
        )
        return min(renames, key=lambda rename: rename[0], default=None)

    def _find_copy(self, name: bytes, before: Before) -> str | None:
        """Return the copy that a run took of a file under a name."""
        times = self._find_times(name, before) | {before.mtime_ns}
        for copy in self._copies.get(name, ()):
            same = (copy.size, copy.inode) == (before.size, before.inode) and copy.mtime_ns in times
            if copy.run >= before.run and same:
                return copy.file
        return None

    def _find_times(self, name: bytes, before: Before) -> set[int | None]:
        """Return the modification times that runs left a file with under a name, without changing its content."""
        return {
            after.mtime_ns
            for after in self._results.get(name, ())
            if after.run >= before.run and (after.size, after.inode) == (before.size, before.inode)
        }


def _climb(path: bytes) -> Iterator[bytes]:
    """Yield a path and the folders above it."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def _is_at(name: bytes, before: Before, times: set[int] | set[int | None]) -> bool:
    """Whether the file that a run met is now under a name, with one of these times."""
    try:
        state = os.lstat(name)
    except OSError:  # nothing there, or not to be seen
        return False
    same = (state.st_dev, keep_inode(state.st_ino), state.st_size) == (before.device, before.inode, before.size)
    return same and stat.S_ISREG(state.st_mode) and keep_time(state.st_mtime_ns) in times
