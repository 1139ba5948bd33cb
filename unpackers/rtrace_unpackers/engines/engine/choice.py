"""Choose the engine of an unpacker: the one that the environment names, or the one that is installed."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace_unpackers.engines.engine.command_line import Engine

VARIABLE = "RTRACE_DOCKER"
PODMAN_VARIABLE = "RTRACE_PODMAN"
DOCKER, PODMAN = "docker", "podman"
NAMES = (DOCKER, PODMAN)
"""The unpackers that have targets of these engines; each opens its own."""
VARIABLES = {DOCKER: VARIABLE, PODMAN: PODMAN_VARIABLE}

CONTROL_GROUPS = Path("/sys/fs/cgroup")
RUNTIMES_PATH = os.pathsep.join(("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
"""Where Podman looks for runtimes, whatever the PATH is."""


def choose_engine(name: str = DOCKER) -> Engine:
    """Return the engine of an unpacker: the one that the environment names for it, else its own.

    For `docker` that is Podman where that alone is installed, and Docker though it is absent where neither is.
    """
    named = os.environ.get(VARIABLES[name])
    debug(__name__, "%s is %s", VARIABLES[name], named or "not set: the engine that is installed")
    if named:
        return Engine(tuple(shlex.split(named)))
    if name == DOCKER and (shutil.which("docker") is not None or shutil.which("podman") is None):
        return Engine(("docker",))
    return Engine(("podman", *choose_runtime()))


def choose_runtime() -> tuple[str, ...]:
    """Return the option by which Podman can start containers here, nothing where it needs none.

    crun(1), its usual runtime, starts nothing where both kinds of cgroups have controllers; runc(8) does.
    """
    if not has_mixed_groups() or shutil.which("runc", path=RUNTIMES_PATH) is None:
        return ()
    return ("--runtime", "runc")


def has_mixed_groups(place: Path = CONTROL_GROUPS) -> bool:
    """Whether the second version of cgroups has controllers besides the first one's."""
    try:
        return bool((place / "unified" / "cgroup.controllers").read_bytes().strip())
    except OSError:
        return False


def demand_answer(engine: Engine, name: str = DOCKER) -> Engine:
    """Return an engine that answers. Raises TargetError when it does not."""
    problem = engine.find_problem()
    if problem is not None:
        other = (
            f"{VARIABLE}=podman"
            if engine.command == ("docker",) and shutil.which("podman")
            else f"another in {VARIABLES[name]}"
        )
        raise TargetError(f"no container engine answers `{engine.name} version`: {problem}; start one, or name {other}")
    return engine


def was_podman_used() -> bool:
    """Whether Podman has a storage of this user's, or is told by the environment where it has one."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    is_root = os.name == "posix" and os.geteuid() == 0
    storage = "/var/lib/containers/storage" if is_root else os.path.join(data, "containers", "storage")
    return PODMAN_VARIABLE in os.environ or os.path.isdir(storage)
