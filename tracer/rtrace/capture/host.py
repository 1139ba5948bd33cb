"""This machine, as a run's record tells it."""

from __future__ import annotations

import os
from typing import NamedTuple

from rtrace.printable import printable_text


class Host(NamedTuple):
    """Host name, uname(2)'s machine, sysname and release, and the distribution's id and version of os-release(5)."""

    hostname: str
    architecture: str
    sysname: str
    release: str
    distribution: str
    distribution_version: str


def describe_host() -> Host:
    """Ask the kernel and the distribution what machine this is."""
    names = os.uname()
    hostname = printable_text(names.nodename)  # any bytes, see sethostname(2)
    return Host(hostname, names.machine, names.sysname, names.release, *describe_distribution())


def describe_distribution() -> tuple[str, str]:
    """Return the distribution's id and version: from os-release(5), or from older files where there is none.

    distro knows all those older files, and takes longer to import (25 ms) than a short program to trace.
    """
    import platform

    try:
        release = platform.freedesktop_os_release()
    except OSError:
        import distro

        return distro.id(), distro.version()
    return release["ID"], release.get("VERSION_ID", "")
