"""Podman with a storage of its own, for tests: nothing of the user's, nothing of another test's."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtrace_unpackers.engines.engine.choice import PODMAN_VARIABLE, VARIABLE, choose_runtime
from rtrace_unpackers.engines.engine.command_line import Engine


@contextmanager
def own_podman(folder: Path, *variables: str) -> Iterator[Engine]:
    """Yield a Podman that keeps everything below a folder, which these variables of the environment name.

    The folder's path has to be short: Podman makes sockets below it.
    """
    storage = f"--root {folder}/root --runroot {folder}/run --storage-driver overlay"
    command = f"podman {storage} --cgroup-manager cgroupfs --events-backend file {shlex.join(choose_runtime())}".strip()
    with pytest.MonkeyPatch.context() as patch:
        for variable in variables or (PODMAN_VARIABLE, VARIABLE):
            patch.setenv(variable, command)
        try:
            yield Engine(tuple(shlex.split(command)))
        finally:
            subprocess.run([*shlex.split(command), "rmi", "--all", "--force"], check=False, capture_output=True)
