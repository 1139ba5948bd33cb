"""What a trace says of one run, gathered once for all parts of its record."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rtrace.trace.parallel.signs import may_have_ranks
from rtrace.trace.reading.one_run import read_executions, read_found, read_processes, read_standard_streams
from rtrace.trace.reading.reader import read_results, read_run_names

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from rtrace.describe.concern import Concern
    from rtrace.describe.draft import Draft
    from rtrace.manifest.model import Run
    from rtrace.packages.model import Installed
    from rtrace.trace.directory import TraceDirectory
    from rtrace.trace.parallel.launchers import Rank
    from rtrace.trace.parallel.processes import RankedProcess
    from rtrace.trace.reading.one_run import FoundFile, TracedExecution, TracedProcess, TracedStream
    from rtrace.trace.reading.reader import After


class Evidence(NamedTuple):
    """What is known of a run by its trace.

    ``directory`` is where the trace lies now. ``found`` is by path, in the order in which the run met the files;
    ``owners`` says which package owns a path, ``concern`` which files are a person's. ``left`` is the state in which
    the run left files. ``ranks`` are those of processes of a parallel program, ``ranked`` the first process of each.
    """

    run: Run
    directory: TraceDirectory
    found: Mapping[bytes, FoundFile]
    left: Mapping[bytes, After]
    executions: tuple[TracedExecution, ...]
    processes: tuple[TracedProcess, ...]
    streams: Mapping[int, TracedStream]
    owners: Mapping[bytes, Installed]
    concern: Concern
    ranks: Mapping[int, Rank]
    ranked: tuple[RankedProcess, ...]

    def resolve(self, word: bytes, folder: bytes) -> bytes | None:
        """Return the path of a file that the run used, as a word of a command names it; None where it names none."""
        if not word or b"\0" in word:
            return None
        path = os.path.normpath(os.path.join(folder, word))
        if path in self.found:
            return path
        path = os.path.realpath(path)
        return path if path in self.found else None

    def name_owner(self, path: bytes) -> str | None:
        """Return the package that owns a path as `kind:name`; None for one that none owns."""
        owner = self.owners.get(path)
        return None if owner is None else f"{owner.manager}:{owner.name}"


def gather(connection: sqlite3.Connection, directory: TraceDirectory, number: int, draft: Draft) -> Evidence:
    """Return what a trace says of the run of a number; ``draft`` is of all its runs."""
    name = read_run_names(connection)[number]
    ranks, ranked = _read_ranks(connection, number)
    return Evidence(
        run=next(run for run in draft.manifest.runs if run.id == name),
        directory=directory,
        found={file.path: file for file in read_found(connection, number)},
        left={after.path: after for after in read_results(connection) if after.run == number},
        executions=tuple(read_executions(connection, number)),
        processes=tuple(read_processes(connection, number)),
        streams=read_standard_streams(connection, number),
        owners=draft.owners,
        concern=draft.concern,
        ranks=ranks,
        ranked=ranked,
    )


def _read_ranks(connection: sqlite3.Connection, number: int) -> tuple[Mapping[int, Rank], tuple[RankedProcess, ...]]:
    """Return the ranks of all processes, and the first processes of those of a run."""
    if not may_have_ranks(connection):
        return {}, ()
    from rtrace.trace.parallel.processes import read_process_ranks, read_ranks

    ranks = read_process_ranks(connection)
    return ranks, tuple(one for one in read_ranks(connection) if one.run == number) if ranks else ()
