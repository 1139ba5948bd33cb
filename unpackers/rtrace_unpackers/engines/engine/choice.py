"""Choose the engine: the one that the environment names, or the one that is installed."""

from __future__ import annotations

import os
import shlex
import shutil

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace_unpackers.engines.engine.command_line import Engine

VARIABLE = "RTRACE_DOCKER"


def choose_engine() -> Engine:
    """Return the engine that the environment names, else Docker's, else Podman's, else Docker's though it is absent."""
    named = os.environ.get(VARIABLE)
    debug(__name__, "%s is %s", VARIABLE, named or "not set: docker, or podman where that alone is installed")
    if named:
        return Engine(tuple(shlex.split(named)))
    return Engine(("podman",) if shutil.which("docker") is None and shutil.which("podman") is not None else ("docker",))


def demand_answer(engine: Engine) -> Engine:
    """Return an engine that answers. Raises TargetError when it does not."""
    problem = engine.find_problem()
    if problem is not None:
        other = (
            f"{VARIABLE}=podman"
            if engine.command == ("docker",) and shutil.which("podman")
            else f"another in {VARIABLE}"
        )
        raise TargetError(f"no container engine answers `{engine.name} version`: {problem}; start one, or name {other}")
    return engine
