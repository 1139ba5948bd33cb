"""`rtrace run --sweep --on slurm`: a job array of a real cluster of one node, submitted, collected and cancelled."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slurm_node import slurm_node
from waiting import wait_until

pytestmark = [
    pytest.mark.requires("root", "munged", "slurmctld", "slurmd", "srun", "sbatch", "user-namespaces"),
    pytest.mark.xdist_group("slurm"),
]

Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]
PROGRAM = """\
#!/bin/sh
sleep 0
echo begun
case $1 in
hang) exec sleep 1000 ;;
fail) exit 3 ;;
esac
echo "$1" > out.txt
echo "value: $1"
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which sbatch reaches a cluster of one node."""
    with slurm_node(tmp_path_factory.mktemp("slurm") / "node") as env:
        yield env


@pytest.fixture
def bundle(rtrace: Rtrace, tmp_path: Path) -> Path:
    """A bundle whose argument decides how it ends, in a folder that a shell and Slurm could misread."""
    work = tmp_path / "it's %j $(work)"
    work.mkdir()
    (work / "say.sh").write_text(PROGRAM)
    (work / "say.sh").chmod(0o755)
    assert rtrace("trace", "-q", "--no-history", "./say.sh", "0", cwd=work).returncode == 0
    assert rtrace("pack", "-q", "say.rpz", cwd=work).returncode == 0
    return work / "say.rpz"


def list_jobs(env: dict[str, str]) -> str:
    """Return what Slurm still has to do."""
    return subprocess.run(["squeue", "-h"], check=True, capture_output=True, env=env, timeout=60).stdout.decode()


def read_states(folder: Path) -> list[tuple[str, str, str]]:
    """Return value, state and notes of the rows of a table."""
    with (folder / "table.csv").open(newline="") as file:
        return [(row["arg1"], row["state"], row["notes"]) for row in csv.DictReader(file)]


def test_a_job_array_replays_a_sweep(rtrace: Rtrace, bundle: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    """As many tasks as combinations, each a row with its outputs; what is done is not submitted again."""
    sweep = ("run", "--no-history", "--on", "slurm", "--sweep", "1=fail,1,$(x) '", "--jobs", "2", bundle.name)
    options = ("--sbatch", "--overcommit --comment='two words'")
    done = rtrace(*sweep, *options, cwd=bundle.parent, env=slurm)
    assert done.returncode == 1, done.stderr.decode()
    assert b"Slurm has 3 of 3 replays as the job array" in done.stderr
    folder = bundle.parent / "say-sweep"
    missing = f"the target has no out.txt ({bundle.parent}/out.txt): replay a run that makes it"
    assert read_states(folder) == [("fail", "failed", missing), ("1", "done", ""), ("$(x) '", "done", "")]
    names = {path.name for path in folder.iterdir()}
    assert {"rows", "sweep.json", "table.csv", "arg1=1"} < names
    assert len(names) == 6, names
    assert (folder / "arg1=1/out.txt").read_text() == "1\n"
    assert list_jobs(slurm) == ""
    again = rtrace(*sweep, cwd=bundle.parent, env={**slurm, "PATH": "/nowhere"})
    assert (again.returncode, b"3 of 3 were replayed before" in again.stderr) == (1, True), again.stderr.decode()
    none = rtrace("run", "--on", "slurm", "--sweep", "1=5", str(bundle), cwd=tmp_path, env={"PATH": "/nowhere"})
    assert (none.returncode, b"--on slurm needs Slurm's sbatch" in none.stderr) == (125, True)
    refused = rtrace("run", "--on", "slurm", "--sbatch=-p none", "--sweep", "1=5", str(bundle), cwd=tmp_path, env=slurm)
    assert (refused.returncode, b"sbatch failed: " in refused.stderr) == (125, True), refused.stderr.decode()


def read_job(folder: Path) -> str:
    """Return the job that works on a folder, nothing where there is none."""
    return (folder / "slurm-job").read_text().strip() if (folder / "slurm-job").exists() else ""


def start(bundle: Path, folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a sweep of which one task never ends, and return when that goes on and the other one is done."""
    before = read_job(folder)
    command = [sys.executable, "-m", "rtrace", "run", "--no-history", "--on", "slurm", "--into", str(folder)]
    command += ["--sbatch=--overcommit", "--sweep", "1=hang,2", str(bundle)]
    sweep = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_until(lambda: read_job(folder) not in {"", before})
    wait_until((folder / "rows/arg1=2/row.json").exists)
    wait_until(lambda: any(path.stat().st_size for path in folder.glob("*.incomplete-*/record/stdout")))
    return sweep


def test_ctrl_c_cancels_the_job(bundle: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    """Nothing goes on, and what is done is in the table."""
    folder = tmp_path / "out"
    with start(bundle, folder, {**os.environ, **slurm}) as sweep:
        sweep.send_signal(signal.SIGINT)
        _, said = sweep.communicate(timeout=120)
    assert sweep.returncode == 130, said.decode()
    assert b"1 of 2 are done" in said
    assert list_jobs(slurm) == ""
    assert [row[:2] for row in read_states(folder)] == [("hang", "interrupted"), ("2", "done")]
    wait_until(lambda: not list(folder.glob("*.incomplete-*")))
    assert {path.name for path in folder.iterdir()} == {"arg1=2", "rows", "sweep.json", "table.csv"}


def test_a_task_that_is_cancelled_is_a_row(bundle: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    """It says what Slurm says of it; of a sweep that was killed the next call cancels the job."""
    folder = tmp_path / "out"
    with start(bundle, folder, {**os.environ, **slurm}) as sweep:
        job = read_job(folder)
        subprocess.run(["scancel", f"{job}_0"], check=True, env=slurm, timeout=60)
        _, said = sweep.communicate(timeout=120)
    assert sweep.returncode == 1, said.decode()
    (_, state, note), _ = read_states(folder)
    assert (state, note.startswith(f"the task {job}_0 of Slurm ended as CANCELLED")) == ("lost", True), note
    with start(bundle, folder, {**os.environ, **slurm}) as sweep:
        sweep.kill()
    assert list_jobs(slurm) != ""
    with start(bundle, folder, {**os.environ, **slurm}) as sweep:
        sweep.send_signal(signal.SIGTERM)
        _, said = sweep.communicate(timeout=120)
    assert b"cancelling the job array" in said
    assert list_jobs(slurm) == ""
