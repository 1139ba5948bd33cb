"""Apptainer or Singularity on this machine: which it is, how it is asked, and why it cannot be used."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace_unpackers.apptainer.words import DEFINITION, IMAGE, NAME, TOOLS

PATIENCE = 20
"""Seconds."""
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
REFUSED_TO_ROOT = (
    "an apptainer target is for plain users: root in such a container is root of the machine. Replay as a plain user, "
    "or with the chroot or docker unpacker"
)
MISSING = "neither apptainer nor singularity is installed, so install Apptainer (https://apptainer.org)"


def find_tool() -> str | None:
    """Return the path of the program, None where there is none."""
    return next((found for name in TOOLS if (found := shutil.which(name)) is not None), None)


def demand_tool() -> str:
    """Return the path of the program. Raises TargetError for root, and where there is none."""
    if os.geteuid() == 0:
        raise TargetError(REFUSED_TO_ROOT)
    found = find_tool()
    if found is None:
        raise TargetError(
            f"{MISSING}, or write the definition and the archive alone: `rtrace unpack {NAME} --no-build`"
        )
    return found


def ask(tool: str, *words: str) -> str | None:
    """Return what the program answers; None where it fails."""
    try:
        done = subprocess.run(
            [tool, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            env=make_environment(Path("/")),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        debug(__name__, "%s: %s", tool, error)
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def takes_settings(tool: str) -> bool:
    """Whether it takes a configuration of ours from a plain user: not where it is set-uid root."""
    name = f"{os.path.basename(tool).upper()}_SUID_INSTALL"
    return ask(tool, "buildcfg", name) == "0"


def make_environment(folder: Path) -> Mapping[str, str]:
    """Return its environment: nothing of the caller's but the way to programs, its own files in a folder."""
    places = {
        f"{name}_{what}": str(folder) for name in map(str.upper, TOOLS) for what in ("CONFIGDIR", "CACHEDIR", "TMPDIR")
    }
    return {"PATH": os.environ.get("PATH") or SYSTEM_PATH, "HOME": str(folder), "TMPDIR": str(folder), **places}


def build_image(tool: str, folder: Path, workspace: Path) -> None:
    """Have it build the image of a target's folder. Raises TargetError with the last of what it says."""
    done = subprocess.run(
        [tool, "build", "--notest", "--disable-cache", IMAGE, DEFINITION],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=make_environment(workspace),
    )
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.decode("ascii", "replace").splitlines() if "FATAL" in line]
        last = "".join(filter(str.isprintable, said[-1])) if said else f"exit status {done.returncode}"
        raise TargetError(
            f"`{os.path.basename(tool)} build` failed: {last}; "
            f"`rtrace unpack {NAME} --no-build` writes the definition and the archive alone"
        )
