"""The variables by which a rank of a parallel program is known: a quick look for them, without what reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

OPEN_MPI = b"OMPI_COMM_WORLD_RANK"
MVAPICH = b"MV2_COMM_WORLD_RANK"
MPICH = b"PMI_RANK"
SLURM = b"SLURM_PROCID"
FLUX = b"FLUX_TASK_RANK"
_MARKS = tuple(name + b"=" for name in (OPEN_MPI, MVAPICH, MPICH, SLURM, FLUX))


def may_name_rank(environ: bytes) -> bool:
    """Whether an environment, as execve(2) takes it, may hold a launcher's variables."""
    return any(mark in environ for mark in _MARKS)


def may_have_ranks(connection: sqlite3.Connection) -> bool:
    """Whether any process of a trace may have been a rank."""
    return any(may_name_rank(content) for (content,) in connection.execute("SELECT content FROM environments"))
