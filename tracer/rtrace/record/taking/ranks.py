"""The ranks of a parallel program that a run was, or that it started: which process was whose, and what each took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.record.empty import empty_usage

if TYPE_CHECKING:
    from rtrace.record.document import Record
    from rtrace.record.taking.evidence import Evidence

_MPI = frozenset({"Open MPI", "MPICH", "MVAPICH"})


def add_ranks(record: Record, evidence: Evidence) -> None:
    """Say in a record, which lists its processes already, what is known of ranks."""
    host = evidence.run.hostname
    usages = {}
    for process in record["processes"]:
        usages[process["id"]] = process["usage"]
        rank = evidence.ranks.get(process["id"])
        if rank is not None:
            process["rank"], process["host"] = str(rank.number), host
    record["ranks"] = [
        {
            "rank": str(one.rank.number),
            "size": one.rank.size,
            "host": host,
            "launcher": one.rank.launcher,
            "job": one.rank.job,
            "exit_code": one.exit_code,
            "signal": one.signal,
            "usage": usages.get(one.process, empty_usage()),
        }
        for one in evidence.ranked
    ]
    launchers = {one.rank.launcher for one in evidence.ranked}
    record["launch"] = "mpi" if launchers & _MPI else "distributed"
