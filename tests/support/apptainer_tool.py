"""Apptainer as scripts/test unpacks it, for a user who has a name and subordinate ids."""

import pwd
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from plain_user import PlainUser

FOLDER = Path("/opt/rtrace-apptainer")
"""Where `need_apptainer` of scripts/lib/setup.sh unpacks it."""
PATH = f"{FOLDER}/usr/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
CLOSED = ("--containall", "--no-home", "--cleanenv", "--net", "--network", "none")
IMAGE = (*CLOSED, "--fakeroot", "--writable-tmpfs", "image.sif")


def give_apptainer(user: PlainUser) -> PlainUser:
    """Return a user who finds it; skip where it is not to be had, which scripts/test has said."""
    if not (FOLDER / ".whole").exists():
        pytest.skip("needs Apptainer, which scripts/test unpacks where a later Debian can be reached")
    name = pwd.getpwuid(user.uid).pw_name
    subprocess.run(["usermod", "--home", user.home, name], check=True, capture_output=True)  # one that is there
    return replace(user, prefix=(*user.prefix, f"PATH={PATH}"))
