"""Whether there is a proot here, and whether it can trace."""

from __future__ import annotations

import os
import shutil
import subprocess

from rtrace.debugging import debug
from rtrace_unpackers.proot.dangers import REFUSED_TO_ROOT

NAME = "proot"
PATIENCE = 10
"""Seconds."""


def find_proot() -> bytes | None:
    """Return the path of the program, None where it is not installed."""
    found = shutil.which(NAME)
    return None if found is None else os.fsencode(os.path.realpath(found))


def find_problem() -> str | None:
    """Return why nothing can be replayed under proot here, None where it can."""
    proot = find_proot()
    if proot is None:
        return "it is not installed (package proot)"
    if os.geteuid() == 0:
        return REFUSED_TO_ROOT.partition(". ")[0]
    try:
        done = subprocess.run(
            [proot, "-v", "-1", proot, "-V"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it cannot be started ({error})"
    debug(__name__, "proot ended with %d", done.returncode)
    return None if done.returncode == 0 else "it may not trace processes here"
