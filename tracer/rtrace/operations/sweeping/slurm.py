"""Combinations replayed by Slurm: a job array whose tasks write their rows into the folder of the sweep.

The folder, the bundle and rtrace itself are reached on the nodes by the same paths as here, as on a cluster with a
shared file system. A task is known to be over by its row; Slurm is asked, less and less often, for those that leave
none. See sbatch(1), squeue(1), scontrol(1), scancel(1).
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.files.reading import read_file
from rtrace.interrupts import held, shielded
from rtrace.operations.sweeping.children import command_of, last_line

if TYPE_CHECKING:
    from rtrace.operations.sweeping.folder import SweepFolder
    from rtrace.operations.sweeping.gathering import Gathering
    from rtrace.sweep.combinations import Combination

JOB_FILE = "slurm-job"
LOGS = "logs"
_NEEDED = ("sbatch", "squeue", "scancel", "scontrol")
_DEFAULT_ARRAY = 1001
"""Slurm's own default of MaxArraySize: the largest index and 1."""
_LOOK = 0.2
"""Seconds between two looks for new rows, which costs Slurm nothing."""
_ASK_FIRST, _ASK_LAST = 1.0, 15.0
"""Seconds between two questions to Slurm, at first and at most."""
_SETTLE = 5.0
"""Seconds in which a row may still arrive by a network file system after its job has ended."""
_GONE = 60.0
"""Seconds in which a job has to be gone that is done or cancelled."""
_LONGEST_LOG = 1 << 16
_JOB = re.compile(r"[0-9]{1,18}\Z")
_STATE = re.compile(r"\bJobState=(\S+)")


def run_with_slurm(gathering: Gathering, todo: Sequence[Combination]) -> None:
    """Replay combinations as job arrays, as large as Slurm allows, one after the other, until each has a row.

    Raises TargetError where Slurm is not there, or refuses.
    """
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        raise TargetError(f"--on slurm needs Slurm's {', '.join(missing)}: go to a machine that submits jobs")
    cancel_earlier(gathering)
    size = max(1, find_largest_array())
    logs = gathering.folder.path / LOGS
    logs.mkdir(exist_ok=True)
    try:
        for first in range(0, len(todo), size):
            part = todo[first : first + size]
            with held(lambda part=part: submitted(gathering, part, logs)) as job:  # type: ignore[misc]
                gathering.manner.say(f"Slurm has {len(part)} of {len(todo)} replays as the job array {job}")
                collect(gathering, part, job, logs)
    finally:
        shutil.rmtree(logs, ignore_errors=True)


@contextlib.contextmanager
def submitted(gathering: Gathering, part: Sequence[Combination], logs: Path) -> Iterator[str]:
    """Submit a job array and yield its number; when the block ends, none of its tasks is left. Raises TargetError."""
    manner = gathering.manner
    commands = [manner.write_arguments(one) for one in part]
    at_a_time = "" if manner.jobs is None else f"%{manner.jobs}"
    options = (f"--array=0-{len(part) - 1}{at_a_time}", f"--chdir={os.getcwd()}", *manner.batch_options)
    said = ask("sbatch", "--parsable", *options, script=write_script(commands, logs))
    job = said.strip().partition(";")[0]
    if not _JOB.match(job):
        raise TargetError(f"sbatch answered {said.strip()!r}, which is no job: look at `squeue --me`")
    write_job(gathering.folder, job)
    try:
        yield job
    finally:
        cancel(job, gathering.manner.warn)
        write_job(gathering.folder, None)


def write_script(commands: Sequence[Sequence[str]], logs: Path) -> bytes:
    """Return a batch script in which each task starts its own command; what rtrace says goes to a file a task."""
    lines = [
        "#!/bin/sh",
        "#SBATCH --job-name=rtrace-sweep",
        "#SBATCH --output=/dev/null",
        "#SBATCH --error=/dev/null",
        f'exec >{shlex.quote(os.fspath(logs))}/"$SLURM_ARRAY_TASK_ID" 2>&1 </dev/null',
        "case $SLURM_ARRAY_TASK_ID in",
    ]
    lines += [f"{place}) exec {shlex.join(command_of(one))} ;;" for place, one in enumerate(commands)]
    return os.fsencode("\n".join([*lines, "esac", ""]))


def collect(gathering: Gathering, part: Sequence[Combination], job: str, logs: Path) -> None:
    """Take the rows of a job array as they come; return when each task has one, or left none and is over."""
    pending = dict(enumerate(part))
    interval, asked = _ASK_FIRST, time.monotonic()
    while pending:
        take_rows(gathering, pending)
        if pending and time.monotonic() - asked >= interval:
            if not is_known(job):
                wait_for(lambda: not take_rows(gathering, pending), _SETTLE, _LOOK)
                break
            interval, asked = min(interval * 1.5, _ASK_LAST), time.monotonic()
        if pending:
            time.sleep(_LOOK)
    wait_for(lambda: not is_known(job), _GONE, _ASK_FIRST)  # a task writes its row, and cleans up
    for place, one in pending.items():
        gathering.take(one, tell_lost(job, place, logs))


def take_rows(gathering: Gathering, pending: dict[int, Combination]) -> dict[int, Combination]:
    """Take the rows that are there; return those that are still to come."""
    for place, one in tuple(pending.items()):
        if gathering.folder.read(one, gathering.keys[one.number]) is not None:
            del pending[place]
            gathering.take(one, "")
    return pending


def tell_lost(job: str, place: int, logs: Path) -> str:
    """Return why a task left no row: the last that rtrace or the shell said on its node, and how Slurm ended it."""
    said = last_line(read_file(os.fspath(logs / str(place)), _LONGEST_LOG))
    with contextlib.suppress(TargetError):
        states = _STATE.findall(ask("scontrol", "show", "job", "-o", f"{job}_{place}"))
        if states and states[0] != "COMPLETED":
            return f"the task {job}_{place} of Slurm ended as {states[0]}{f': {said}' if said else ''}"
    return said or f"the task {job}_{place} of Slurm left no row, and said nothing; are its paths those of the node?"


def is_known(job: str) -> bool:
    """Whether Slurm still has a task of a job to run, or runs it; also where it does not answer just now."""
    try:
        return bool(ask("squeue", "--noheader", "--jobs", job, "--format=%T").strip())
    except TargetError as error:
        debug(__name__, "squeue: %s", error)
        return "Invalid job id" not in str(error)


def cancel(job: str, warn: Callable[[str], None]) -> None:
    """Cancel what is left of a job, and wait until it is gone."""
    with shielded():
        if not is_known(job):
            return
        with contextlib.suppress(TargetError):
            ask("scancel", job)
        if not wait_for(lambda: not is_known(job), _GONE, _ASK_FIRST):
            warn(f"Slurm still has the job {job} after it was cancelled; look at `squeue --jobs {job}`")


def cancel_earlier(gathering: Gathering) -> None:
    """Cancel the job of a sweep in the same folder that was killed: its tasks would write the same rows."""
    job = read_file(os.fspath(gathering.folder.path / JOB_FILE), 64).decode("ascii", "replace").strip()
    if not job:
        return
    if _JOB.match(job) and is_known(job):
        gathering.manner.say(f"cancelling the job array {job} of a sweep that was killed")
        cancel(job, gathering.manner.warn)
    write_job(gathering.folder, None)


def write_job(folder: SweepFolder, job: str | None) -> None:
    """Note which job works on a folder, or that none does any more."""
    if job is None:
        with contextlib.suppress(FileNotFoundError):
            (folder.path / JOB_FILE).unlink()
    else:
        folder.write(JOB_FILE, f"{job}\n")


def find_largest_array() -> int:
    """Return how many tasks an array may have."""
    try:
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask("scontrol", "show", "config"), re.MULTILINE)
    except TargetError:
        found = None
    return int(found[1]) if found else _DEFAULT_ARRAY


def wait_for(is_done: Callable[[], bool], seconds: float, step: float) -> bool:
    """Wait until something is so, at most so many seconds; return whether it is. It is asked after each ``step``."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True


def ask(*command: str, script: bytes | None = None) -> str:
    """Return what a program of Slurm's answers. Raises TargetError for one that fails."""
    done = subprocess.run(
        command,
        input=script or b"",
        capture_output=True,
        check=False,
        start_new_session=True,  # a terminal's Ctrl-C is for us: a job that was half submitted would go on
    )
    if done.returncode != 0:
        reason = last_line(done.stderr) or f"exit status {done.returncode}"
        raise TargetError(f"{command[0]} failed: {reason}")
    return done.stdout.decode("utf-8", "replace")
