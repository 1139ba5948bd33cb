"""What a launcher of parallel programs (mpirun, mpiexec, srun, flux run) tells each process that it starts.

It is in environment variables: Open MPI's and MPICH's are in their manuals mpirun(1), those of Slurm in srun(1), those
of Flux in flux-run(1).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.trace.parallel import signs

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_SIZE = 100_000_000
"""More ranks than any machine has: what says so is no launcher."""

_NUMBER = re.compile(rb"[0-9]{1,9}")
_STRANGE = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_JOB = 48


class Launcher(NamedTuple):
    """A launcher by its name, and the variables of a rank's number, of their number, of the number on this host.

    ``job`` are the variables that tell one launch from another; MPICH has none. ``scratch`` names the folder in which
    the launcher speaks with its ranks.
    """

    name: str
    rank: bytes
    size: bytes
    local: bytes
    job: tuple[bytes, ...] = ()
    scratch: bytes = b""


LAUNCHERS = (  # one that is started by another one comes before it
    Launcher(
        "Open MPI",
        signs.OPEN_MPI,
        b"OMPI_COMM_WORLD_SIZE",
        b"OMPI_COMM_WORLD_LOCAL_RANK",
        (b"PMIX_NAMESPACE",),
        b"PMIX_SERVER_TMPDIR",
    ),
    Launcher("MVAPICH", signs.MVAPICH, b"MV2_COMM_WORLD_SIZE", b"MV2_COMM_WORLD_LOCAL_RANK"),
    Launcher("MPICH", signs.MPICH, b"PMI_SIZE", b"MPI_LOCALRANKID"),
    Launcher(
        "Slurm",
        signs.SLURM,
        b"SLURM_STEP_NUM_TASKS",
        b"SLURM_LOCALID",
        (b"SLURM_JOB_ID", b"SLURM_STEP_ID"),
    ),
    Launcher(
        "Flux",
        signs.FLUX,
        b"FLUX_JOB_SIZE",
        b"FLUX_TASK_LOCAL_ID",
        (b"FLUX_JOB_ID",),
    ),
)


class Rank(NamedTuple):
    """Which process of a parallel program one is: ``number`` of ``size``, from 0 on.

    ``local`` is its number on its host. ``job`` tells this launch from others, as far as the launcher does, in letters,
    digits and dashes. ``scratch`` is the folder in which the launcher speaks with its ranks; empty where there is none.
    """

    number: int
    size: int
    local: int | None
    launcher: str
    job: str
    scratch: bytes = b""

    @property
    def name(self) -> str:
        """What the rank's run is called."""
        return f"rank{self.number}"


def find_rank(environ: Mapping[bytes, bytes]) -> Rank | None:
    """Return which rank a process with these variables is; None where no launcher started it.

    A batch script of Slurm has a number too, and is not one of several: it has no number of tasks of a step.
    """
    for launcher in LAUNCHERS:
        number, size = _read_number(environ, launcher.rank), _read_number(environ, launcher.size)
        if number is not None and size is not None and number < size <= LARGEST_SIZE:
            local, job = _read_number(environ, launcher.local), _name_job(environ, launcher)
            return Rank(number, size, local, launcher.name, job, environ.get(launcher.scratch, b""))
    return None


def _name_job(environ: Mapping[bytes, bytes], launcher: Launcher) -> str:
    """Return a name of a launch that can be part of a file's name."""
    values = [environ.get(name, b"") for name in launcher.job]
    text = _STRANGE.sub("-", b"-".join(values).decode(errors="replace")).strip("-") if all(values) else ""
    return text[:_LONGEST_JOB] or "job"


def _read_number(environ: Mapping[bytes, bytes], name: bytes) -> int | None:
    value = environ.get(name, b"")
    return int(value) if _NUMBER.fullmatch(value) else None
