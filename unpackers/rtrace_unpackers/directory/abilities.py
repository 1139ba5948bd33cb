"""What a machine offers besides namespaces and engines: proot, and what the script of a directory target takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from rtrace.replay.protocol import Ability
from rtrace_unpackers.proot.finding import find_problem

TOOLS = {"bwrap": "bubblewrap", "ch-run": "charliecloud", "systemd-nspawn": "systemd-container"}
"""Programs, and Debian's packages of them."""


def examine() -> Iterator[Ability]:
    """Yield whether proot works, and which of the other tools are there."""
    problem = find_problem()
    yield Ability("proot", problem is None, problem or "`--unpacker proot` replays with it, not isolated")
    for tool, package in TOOLS.items():
        found = shutil.which(tool) is not None
        detail = (
            "there, not tried; run.sh of a directory target takes it" if found else f"not installed (package {package})"
        )
        yield Ability(tool, works=found, detail=detail)
