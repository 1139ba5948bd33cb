"""Files are attributed to Debian's packages as dpkg itself would."""

import subprocess
from pathlib import Path

import pytest

from rtrace.packages.attribution import attribute


@pytest.mark.requires("dpkg")
def test_this_machine_agrees_with_dpkg() -> None:
    """The files of a package that dpkg lists belong to it."""
    listed = subprocess.run(["dpkg", "-L", "bash"], check=True, capture_output=True).stdout.splitlines()
    files = [
        path for line in listed if (path := bytes(Path(line.decode()).resolve())) and Path(line.decode()).is_file()
    ]
    owners = attribute(files).owners
    assert {owners[path].name for path in files} == {"bash"}
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version} ${Architecture}", "bash"], check=True, capture_output=True
    )
    owner = owners[files[0]]
    assert f"{owner.version} {owner.architecture}".encode() == shown.stdout
