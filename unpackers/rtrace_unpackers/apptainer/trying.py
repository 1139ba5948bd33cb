"""Whether Apptainer starts containers here, found by starting one."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from rtrace.debugging import debug
from rtrace.files.workspaces import temporary
from rtrace.manifest.model import Run
from rtrace_unpackers.apptainer.plan import LAUNCHER, LAUNCHER_FOLDER, Containment
from rtrace_unpackers.apptainer.running import furnish
from rtrace_unpackers.apptainer.tool import MISSING, PATIENCE, find_tool, make_environment, takes_settings
from rtrace_unpackers.engines.image.launcher import build_launcher

NOT_FOUND = 127
"""The status of a launcher whose program is not there."""
FOLDERS = ("dev/shm", "proc", "sys", ".rtrace")


def find_problem() -> str | None:
    """Return why nothing can be replayed with it here, with the next step; None where it can."""
    if os.geteuid() == 0:
        return "it is for plain users, and this is root"
    tool = find_tool()
    if tool is None:
        return MISSING
    with temporary("try") as workspace:
        said = try_in(tool, workspace)
    return None if said is None else f"it starts no container here ({said}), so see what `apptainer exec` needs"


def try_in(tool: str, workspace: Path) -> str | None:
    """Start a container whose tree is empty; return what the tool says where it does not start."""
    for name in FOLDERS:
        os.makedirs(workspace / "empty" / name)
    furnish(workspace, os.fsencode(workspace / "empty"))
    program = workspace / LAUNCHER_FOLDER / LAUNCHER
    program.write_bytes(build_launcher(make_run()))
    program.chmod(0o500)
    containment = Containment(b"", b"", has_settings=takes_settings(tool))
    try:
        done = subprocess.run(
            containment.list_arguments(tool),
            cwd=workspace,
            env=make_environment(workspace),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    debug(__name__, "a container ended with %d: %s", done.returncode, done.stderr)
    if done.returncode == NOT_FOUND:
        return None
    lines = done.stderr.decode("ascii", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
    return "".join(filter(str.isprintable, lines[-1]))


def make_run() -> Run:
    """Return the run of a program that is not there."""
    return Run(
        id="try",
        argv=(b"nothing",),
        binary=b"/nothing",
        workingdir=b"/",
        environ=(),
        uid=os.geteuid(),
        gid=os.getegid(),
        groups=(),
        umask=0o022,
        hostname="",
        architecture=platform.machine(),
        system=("Linux", ""),
        distribution=("", ""),
        started=None,
        finished=None,
        exit_code=None,
        signal=None,
    )
