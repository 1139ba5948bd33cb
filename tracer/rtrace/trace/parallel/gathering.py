"""The traces of a job's ranks wait beside where the trace of all will be, until the last one has ended.

    DIRECTORY.JOB.rank-0      the trace of rank 0: it appears, whole, when rank 0 has ended
    DIRECTORY.JOB.rank-1
    DIRECTORY.JOB.joining     made by whoever joins them: a folder can be made once
    DIRECTORY                 the trace of all

Nothing here is locked: the hosts need a common folder, and no more. Of ranks that end at the same moment each looks
after its own trace is there, so that one of them sees all; that several see all does no harm.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtrace.trace.directory import TraceDirectory
from rtrace.trace.settling import find_unsettled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.trace.parallel.launchers import Rank

_OLD = "old"
_RANK = ".rank-"


class RankPlaces(NamedTuple):
    """Where the traces of one job's ranks are; ``directory`` is where the trace of all will be."""

    directory: TraceDirectory
    job: str
    size: int

    @property
    def joining(self) -> Path:
        """The folder of whoever joins the traces."""
        return self._beside("joining")

    @property
    def old(self) -> Path:
        """Where a trace that is replaced is until the new one is there."""
        return self.joining / _OLD

    def find(self, number: int) -> TraceDirectory:
        """Return where one rank's trace is, or will be."""
        return TraceDirectory(self._beside(f"{_RANK[1:]}{number}"))

    def list_missing(self) -> tuple[int, ...]:
        """Return the ranks that have not ended: whose traces are not there."""
        with os.scandir(self.directory.path.parent) as entries:  # a folder is read anew, a name may be remembered
            names = {entry.name for entry in entries}
        return tuple(number for number in range(self.size) if self.find(number).path.name not in names)

    def list_all(self) -> tuple[TraceDirectory, ...]:
        """Return where the traces of all ranks are, in the order of these."""
        return tuple(self.find(number) for number in range(self.size))

    def _beside(self, ending: str) -> Path:
        path = self.directory.path
        return path.with_name(f"{path.name}.{self.job}.{ending}")


def place_ranks(directory: TraceDirectory, rank: Rank) -> RankPlaces:
    """Return where the traces of a rank's job are."""
    return RankPlaces(directory, rank.job, rank.size)


def find_left_ranks(traces: Iterable[TraceDirectory]) -> tuple[TraceDirectory, ...]:
    """Return ranks of the same jobs as these traces whose tracers were killed: their traces have no place yet."""
    beginnings: dict[Path, set[str]] = {}
    for trace in traces:
        beginning, mark, number = trace.path.name.rpartition(_RANK)
        if mark and number.isdigit():
            beginnings.setdefault(trace.path.parent, set()).add(beginning + mark)
    return tuple(
        left
        for folder, known in beginnings.items()
        for left in find_unsettled(folder)
        if left.path.name.rstrip("0123456789") in known
    )


@contextlib.contextmanager
def elected(places: RankPlaces) -> Iterator[bool]:
    """Let one process join the traces: whether it is this one, and its traces are still there."""
    try:
        places.joining.mkdir(mode=0o700)
    except FileExistsError:
        yield False
        return
    try:
        yield not places.list_missing()  # somebody may have joined and removed them since we looked
    finally:
        with contextlib.suppress(OSError):  # ENOTEMPTY: what was replaced could not be put back, and is there
            places.joining.rmdir()
