"""Parallel and distributed programs under their real launchers: MPI, Slurm, GNU parallel, ssh."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from observing import Observation, run_rtrace
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.parallel.processes import read_ranks
from rtrace.trace.reading.reader import open_for_reading
from sample_programs import RING
from slurm_node import slurm_node
from ssh_host import ssh_host

RTRACE = (sys.executable, "-m", "rtrace")
ROOT_MAY = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
OPEN_MPI = ("mpirun.openmpi", "--oversubscribe", "-n", "3")
SRUN = ("srun", "-n", "3", "--overcommit")
PARALLEL = ("parallel", "-j2", "--will-cite")
MPICH = ("mpiexec.hydra", "-n", "3")


def build_ring(folder: Path, compiler: str) -> None:
    """Build a program of MPI whose ranks add up a number together and write a file each."""
    (folder / "ring.c").write_text(RING)
    subprocess.run([compiler, "ring.c", "-o", "ring"], check=True, cwd=folder)


def launch(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a launcher."""
    return subprocess.run(argv, check=False, cwd=cwd, env=env or ROOT_MAY, capture_output=True, timeout=200)


def read_results(folder: Path) -> list[str]:
    """Return what the ranks wrote."""
    return [path.read_text() for path in sorted(folder.glob("out.*"))]


def read_rank_numbers(directory: Path) -> list[tuple[int, int, int | None]]:
    """Return run, number and exit code of all ranks of a trace."""
    with closing(open_for_reading(TraceDirectory(directory))) as connection:
        return [(one.run, one.rank.number, one.exit_code) for one in read_ranks(connection)]


@pytest.mark.requires("mpirun.openmpi", "mpicc.openmpi", "user-namespaces")
def test_mpirun_is_traced_and_replayed_as_one_run(tmp_path: Path) -> None:
    """`rtrace trace mpirun` on one host is one run, its processes' ranks are known, and the bundle verifies."""
    build_ring(tmp_path, "mpicc.openmpi")
    traced = launch(*RTRACE, "trace", *OPEN_MPI, "./ring", cwd=tmp_path)
    assert traced.returncode == 0, traced.stderr
    assert read_results(tmp_path) == [f"rank {rank} of 3: 6\n" for rank in range(3)]
    assert read_rank_numbers(tmp_path / ".rtrace") == [(1, 0, 0), (1, 1, 0), (1, 2, 0)]
    assert run_rtrace("pack", "-q", "ring.rpz", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", "ring.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count(b"/out.") == 3


@pytest.mark.requires("mpirun.openmpi", "mpicc.openmpi", "user-namespaces")
def test_ranks_of_open_mpi_trace_themselves(tmp_path: Path) -> None:
    """`mpirun rtrace trace --rank` leaves one trace, with a run for each rank, that packs; a replay has no verdict."""
    build_ring(tmp_path, "mpicc.openmpi")
    traced = launch(*OPEN_MPI, *RTRACE, "trace", "--rank", "./ring", cwd=tmp_path)
    assert traced.returncode == 0, traced.stderr
    assert b"traced 3 ranks on 1 host in .rtrace" in traced.stderr
    assert b"3 ranks spoke with each other through Open MPI, whose launcher is not in the trace" in traced.stderr
    assert read_results(tmp_path) == [f"rank {rank} of 3: 6\n" for rank in range(3)]
    assert read_rank_numbers(tmp_path / ".rtrace") == [(1, 0, 0), (2, 1, 0), (3, 2, 0)]
    packed = run_rtrace("pack", "ring.rpz", cwd=tmp_path)
    assert packed.returncode == 0, packed.stderr
    verified = run_rtrace("verify", "--all", "ring.rpz", cwd=tmp_path)
    assert verified.returncode == 3, verified.stdout + verified.stderr
    assert b"different" not in verified.stdout.replace(b": different,", b"")


@pytest.mark.requires("mpiexec.hydra", "mpicc.mpich")
def test_ranks_of_mpich_keep_their_way_to_the_launcher(tmp_path: Path) -> None:
    """MPICH speaks with its ranks by descriptors that it hands down: they go through the tracer."""
    build_ring(tmp_path, "mpicc.mpich")
    traced = launch(*MPICH, *RTRACE, "trace", "-q", "--rank", "./ring", cwd=tmp_path)
    assert traced.returncode == 0, traced.stderr
    assert read_results(tmp_path) == [f"rank {rank} of 3: 6\n" for rank in range(3)]
    assert read_rank_numbers(tmp_path / ".rtrace") == [(1, 0, 0), (2, 1, 0), (3, 2, 0)]


@pytest.mark.requires("mpirun.openmpi")
def test_a_rank_that_fails_ends_the_job_as_ever(tmp_path: Path) -> None:
    """The launcher ends with the status of the rank that failed, and what the ranks did is there to be joined."""
    script = 'exit "$OMPI_COMM_WORLD_RANK"'
    traced = launch(*OPEN_MPI, *RTRACE, "trace", "--rank", "sh", "-c", script, cwd=tmp_path)
    assert traced.returncode in {1, 2}
    kept = list(tmp_path.glob(".rtrace*/trace.sqlite3"))
    assert kept, traced.stderr


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which srun and sbatch reach a cluster of one node."""
    with slurm_node(tmp_path_factory.mktemp("slurm") / "node") as env:
        yield env


needs_slurm = pytest.mark.requires("root", "munged", "slurmctld", "slurmd", "srun", "sbatch")


@needs_slurm
@pytest.mark.requires("user-namespaces")
@pytest.mark.xdist_group("slurm")
def test_tasks_of_slurm_trace_themselves(tmp_path: Path, slurm: dict[str, str]) -> None:
    """`srun rtrace trace --rank` leaves one trace of all tasks, whose bundle verifies."""
    (tmp_path / "data").write_text("b\na\n")
    task = ("sh", "-c", 'sort data > "out.$SLURM_PROCID"; echo "$SLURM_PROCID" >> "out.$SLURM_PROCID"')
    traced = launch(*SRUN, *RTRACE, "trace", "--rank", *task, cwd=tmp_path, env=slurm)
    assert traced.returncode == 0, traced.stderr
    assert b"traced 3 ranks on 1 host in .rtrace" in traced.stderr
    assert read_results(tmp_path) == [f"a\nb\n{rank}\n" for rank in range(3)]
    assert run_rtrace("pack", "-q", "tasks.rpz", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", "tasks.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr


@needs_slurm
@pytest.mark.xdist_group("slurm")
def test_a_batch_script_is_traced_where_it_runs(tmp_path: Path, slurm: dict[str, str]) -> None:
    """In a job's script, `rtrace trace` and `srun rtrace trace --rank` both leave their traces in the job's folder."""
    job = tmp_path / "job.sh"
    command = shlex.join(RTRACE)
    job.write_text(
        "#!/bin/sh\n"
        f"{command} trace -q sh -c 'echo prepared > prepared' || exit\n"
        f"srun -n 2 --overcommit {command} trace -q -d tasks --rank sh -c 'cat prepared > out.$SLURM_PROCID' || exit\n"
        f"{command} combine -q -d all .rtrace tasks\n"
    )
    done = launch("sbatch", "--wait", "-n", "2", "--overcommit", job, cwd=tmp_path, env=slurm)
    assert done.returncode == 0, b"".join(path.read_bytes() for path in tmp_path.glob("slurm-*.out"))
    rows = Observation(done, tmp_path / "all").rows("SELECT name, exit_code FROM runs ORDER BY id")
    assert [(row["name"], row["exit_code"]) for row in rows] == [("run1", 0), ("rank0", 0), ("rank1", 0)]


@needs_slurm
@pytest.mark.xdist_group("slurm")
def test_work_that_is_handed_to_slurm_is_told(tmp_path: Path, slurm: dict[str, str]) -> None:
    """`rtrace trace sbatch` says that the job itself is out of sight, and where to trace instead."""
    job = tmp_path / "job.sh"
    job.write_text("#!/bin/sh\necho done > done\n")
    traced = launch(*RTRACE, "trace", "sbatch", "--wait", job, cwd=tmp_path, env=slurm)
    assert traced.returncode == 0, traced.stderr
    assert (tmp_path / "done").exists()
    assert b"sbatch gave work to Slurm, whose daemons do it out of sight; put `rtrace trace` before" in traced.stderr
    assert bytes(tmp_path / "done") not in Observation(traced, tmp_path / ".rtrace").uses()


@pytest.mark.requires("parallel", "user-namespaces")
def test_gnu_parallel_is_traced_as_one_run(tmp_path: Path) -> None:
    """`rtrace trace parallel` is one run with all that its jobs did, and the bundle verifies."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(f"{name}2\n{name}1\n")
    env = {**os.environ, "HOME": str(tmp_path), "PARALLEL_SHELL": "/bin/sh"}  # else it asks for that of its caller
    jobs = ("sort {} > {}.out", ":::", "a", "b", "c")
    traced = launch(*RTRACE, "trace", "-q", *PARALLEL, *jobs, cwd=tmp_path, env=env)
    assert traced.returncode == 0, traced.stderr
    assert (tmp_path / "c.out").read_text() == "c1\nc2\n"
    assert run_rtrace("pack", "-q", "jobs.rpz", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", "jobs.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count(b".out") == 3


@pytest.mark.requires("parallel")
def test_jobs_of_gnu_parallel_trace_themselves(tmp_path: Path) -> None:
    """`parallel rtrace trace -d {#}.trace` leaves a trace for each job, and `rtrace combine` one of all."""
    env = {**os.environ, "HOME": str(tmp_path)}
    tracing = (*map(shlex.quote, RTRACE), "trace", "-q", "-d", "{#}.trace", "touch", "{}")  # it makes one line of them
    traced = launch(*PARALLEL, *tracing, ":::", "a", "b", "c", cwd=tmp_path, env=env)
    assert traced.returncode == 0, traced.stderr
    combined = run_rtrace("combine", *(f"{number}.trace" for number in (1, 2, 3)), cwd=tmp_path)
    assert combined.returncode == 0, combined.stderr
    used = Observation(combined, tmp_path / ".rtrace").uses()
    assert {bytes(tmp_path / name) for name in "abc"} <= used.keys()


@pytest.mark.requires("root", "ssh", "ssh-keygen", "sshd")
def test_work_on_another_host_is_told_and_can_be_brought_in(tmp_path: Path) -> None:
    """`rtrace trace ssh` says that the other host's part is not seen; traced there and fetched, both are one trace."""
    work = tmp_path / "work"
    work.mkdir()
    with ssh_host(tmp_path / "host") as config:
        ssh = ("ssh", "-F", str(config), "elsewhere")
        there = tmp_path / "there"
        traced = launch(*RTRACE, "trace", "-d", "here", *ssh, f"mkdir {there}; echo done > {there}/done", cwd=work)
        assert traced.returncode == 0, traced.stderr
        assert b"ssh spoke to another host" in traced.stderr
        assert b"`ssh HOST rtrace trace COMMAND`" in traced.stderr
        assert bytes(there / "done") not in Observation(traced, work / "here").uses()
        paths = f"PYTHONPATH={os.environ.get('PYTHONPATH', '')}"
        remote = f"cd {there} && {paths} {shlex.join(RTRACE)} trace -q sh -c 'cat done > out'"
        assert launch(*ssh, remote, cwd=work).returncode == 0
        fetch = ("scp", "-q", "-r", "-F", config, f"elsewhere:{there}/.rtrace", "fetched")
        assert launch(*fetch, cwd=work).returncode == 0
    combined = run_rtrace("combine", "-d", "all", "here", "fetched", cwd=work)
    assert combined.returncode == 0, combined.stderr
    assert bytes(there / "out") in Observation(combined, work / "all").uses()
