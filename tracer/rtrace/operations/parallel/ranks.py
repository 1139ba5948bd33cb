"""`rtrace trace --rank`: each process that a launcher starts traces itself, and whoever ends last joins the traces.

rank 0   trace ──> DIRECTORY.JOB.rank-0 ──> are all there? no ─> done
rank 1   trace ─────────> DIRECTORY.JOB.rank-1 ──> are all there? yes ─> joined: DIRECTORY
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from rtrace.errors import RtraceError, UsageError
from rtrace.operations.combine import Combined, combine
from rtrace.operations.recording.ranked import keep_in_history
from rtrace.operations.trace import TraceReport, TraceRequest, trace_into
from rtrace.printable import shell_word
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.moving import move, remove_trace
from rtrace.trace.parallel.gathering import RankPlaces, elected, place_ranks
from rtrace.trace.parallel.launchers import Rank, find_rank
from rtrace.trace.place import exists_already


class RankReport(NamedTuple):
    """What one rank has to say: of its own trace, and of that of all, if it was the last one.

    ``missing`` are the ranks that had not ended, ``problem`` is why the traces could not be joined, or why the
    record of all is not in the history, in a sentence.
    """

    own: TraceReport
    rank: Rank
    directory: TraceDirectory
    missing: tuple[int, ...]
    combined: Combined | None = None
    problem: str | None = None


def find_own_rank() -> Rank:
    """Return which rank this process is. Raises UsageError when no launcher started it."""
    rank = find_rank(os.environb)
    if rank is None:
        raise UsageError(
            "--rank is for a process that mpirun, mpiexec or srun starts, and none of them started this one; write "
            "`mpirun -n 4 rtrace trace --rank COMMAND`, or leave --rank out"
        )
    return rank


def place_own_ranks(directory: TraceDirectory, rank: Rank) -> RankPlaces:
    """Return where the traces of this process's job are."""
    path = directory.path
    return place_ranks(directory if path.name else TraceDirectory(path.resolve()), rank)


def trace_rank(
    places: RankPlaces,
    rank: Rank,
    request: TraceRequest,
    *,
    on_waiting: Callable[[tuple[str, ...]], None],
    on_loss: Callable[[str, str], None],
) -> RankReport:
    """Trace a command as one rank; when all ranks of its job have ended, join their traces.

    Raises what `trace_into` raises, and TraceError when the trace of all would replace one that is there.
    """
    directory = places.directory
    recording = request.record
    apart = request._replace(name=rank.name, record=None if recording is None else recording._replace(history=False))
    if os.path.lexists(directory.path) and not request.overwrite:
        raise exists_already(directory)
    own = trace_into(places.find(rank.number), apart, on_waiting=on_waiting, on_loss=on_loss)
    missing = places.list_missing()
    if missing:
        return RankReport(own, rank, directory, missing)
    try:
        combined = join_ranks(places, overwrite=request.overwrite)
    except (RtraceError, OSError) as error:
        pattern = shell_word(str(places.find(0).path).removesuffix("0"))
        where = shell_word(directory.path)
        problem = f"cannot join the traces of the ranks ({error}); try `rtrace combine -d {where} {pattern}*`"
        return RankReport(own, rank, directory, (), None, problem)
    recorded = None if combined is None or recording is None or not recording.history else combined.record
    unrecorded = None if recorded is None else keep_in_history(recorded)
    return RankReport(own, rank, directory, (), combined, unrecorded)


def join_ranks(places: RankPlaces, *, overwrite: bool) -> Combined | None:
    """Join the traces of all ranks to one and remove them; None where another process does it.

    Raises TraceError, BusyError and OSError; the traces are there then.
    """
    with elected(places) as is_elected:
        if not is_elected:
            return None
        target = places.directory
        replaced = overwrite and os.path.lexists(target.path)
        if replaced:
            set_old_aside(places)
        try:
            combined = combine(places.list_all(), target, edited=False)
        except BaseException:
            if replaced:
                move(places.old, target.path)
            raise
        if replaced:
            remove_trace(places.old)
        for source in places.list_all():
            with source.lock():
                remove_trace(source.path)
        return combined


def set_old_aside(places: RankPlaces) -> None:
    """Move the trace that is to be replaced out of the way. Raises TraceError when it is none, BusyError, OSError."""
    places.directory.open().close()
    with places.directory.lock():
        move(places.directory.path, places.old)
