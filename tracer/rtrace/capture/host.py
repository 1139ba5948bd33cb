"""This machine, as a trace describes it."""

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
    """Return what the kernel and the distribution say of this machine."""
    names = os.uname()
    hostname = printable_text(names.nodename)  # any bytes, see sethostname(2)
    return Host(hostname, names.machine, names.sysname, names.release, *describe_distribution())


def describe_distribution() -> tuple[str, str]:
    """Return the distribution's id and version, from os-release(5) or, without that, from older files.

    distro knows those older files; importing it takes longer (25 ms) than tracing a short program.
    """
    import platform

    try:
        release = platform.freedesktop_os_release()
    except OSError:
        import distro

        return distro.id(), distro.version()
    return release["ID"], release.get("VERSION_ID", "")
