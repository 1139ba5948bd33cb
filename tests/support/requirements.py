"""What a test may need of the machine, and what tells whether it is there."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

from postgresql_server import find_programs

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = {
    "cffconvert",
    "published",
    "eggs",
    "easybuild",
    "rattler",
    "uv",
    "sumatra",
    "sumatra-django",
    "recipy",
    "noworkflow",
    "notebook",
    "sphinx",
    "webdav",
    "plots",
}
"""What `need_tools` of scripts/test installs, each in a virtual environment of its own."""


@functools.cache
def answers(*argv: str) -> bool:
    """Whether a command exists and succeeds."""
    try:
        return subprocess.run(argv, check=False, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_modules() -> Path | None:
    """Return the file by which a shell gets the command `module`, as Debian's packages have it."""
    places = ("/usr/share/modules/init/bash", "/usr/share/lmod/lmod/init/bash")
    return next((path for path in map(Path, places) if path.exists()), None)


def missing(name: str) -> str | None:
    """Return what one requirement lacks on this machine, in a sentence; None when it is met."""
    match name:
        case "root":
            return None if os.geteuid() == 0 else "needs root: run it with sudo"
        case "docker":
            return None if answers("docker", "info") else "needs a Docker engine that answers `docker info`"
        case "user-namespaces":
            met = answers("unshare", "--user", "--map-root-user", "--mount", "true")
            return None if met else "needs user namespaces that a plain user may create"
        case "postgresql":
            there = find_programs() is not None
            return None if there else "needs PostgreSQL's server: install the package postgresql"
        case "modules":
            return None if find_modules() else "needs Environment Modules or Lmod"
        case tool if tool in TOOLS:
            met = (CHECKOUT / f".bench/{tool}/.whole").exists()
            return None if met else f"needs .bench/{tool}, which scripts/test makes"
        case "page-checkers":
            met = (CHECKOUT / ".bench/web/node_modules/vnu-jar").exists()
            return None if met else "needs axe-core and vnu-jar in .bench/web, which scripts/test installs"
        case command:
            return None if shutil.which(command) else f"needs the command {command}"
