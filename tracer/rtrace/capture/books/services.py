"""Servers of this machine that programs talk to through well-known sockets, and what that means for a replay."""

from __future__ import annotations

import re
from typing import NamedTuple


class Service(NamedTuple):
    """A server by its address, a regular expression that is compiled when a program connects to anything.

    ``what`` a program does by talking to it is empty if there is nothing to tell.
    """

    address: str
    kind: str = ""
    what: str = ""
    advice: str = ""


INSIDE = "start what it needs inside the run, where rtrace sees it"

SERVICES = (
    # Name services and logs: the C library asks them unasked, and works without them.
    Service(r"(/var)?/run/(nscd|munge|avahi-daemon|systemd/(userdb|resolve|journal))/|/var/lib/sss/|/dev/log$"),
    Service(
        r"(/var)?/run/(user/\d+/)?systemd/",
        "escape",
        "spoke to systemd, which can start programs out of sight",
        INSIDE,
    ),
    Service(
        r"(/var)?/run/(dbus/|user/\d+/bus$)|@?/tmp/dbus-",
        "escape",
        "spoke on D-Bus, where other programs can work for it out of sight",
        INSIDE,
    ),
    Service(
        r"(/var)?/run/(user/\d+/)?(docker|containerd|podman|crio|buildkit)\b",
        "escape",
        "spoke to a container engine, which starts programs out of sight",
        "trace the command inside the container instead",
    ),
    Service(
        r"@?/tmp/\.X11-unix/|(/var)?/run/user/\d+/wayland-",
        "display",
        "drew on the screen",
        "a replay has no screen: let it draw into a file, or replay it with --x11",
    ),
)


ELSEWHERE = "there, as `ssh HOST rtrace trace COMMAND`, copy its trace directory here, and `rtrace combine` both"
IN_SCRIPT = "put `rtrace trace` before the command in the job's script"
IN_STEP = f"{IN_SCRIPT}, or `srun rtrace trace --rank` before that of many tasks"
HANDING = {
    "ssh": ("spoke to another host, {address}: what it had done there is out of sight", f"trace {ELSEWHERE}"),
    **dict.fromkeys(("sbatch", "srun", "salloc"), ("gave work to Slurm, whose daemons do it out of sight", IN_STEP)),
    **dict.fromkeys(
        ("qsub", "bsub", "condor_submit", "flux"),
        ("gave work to a batch system, which does it out of sight", IN_SCRIPT),
    ),
}
"""Programs that let others work, by name: what is to be said once they reach these, and what to do about it."""


def find_service(address: str) -> Service | None:
    """Return a server by the name of its socket; abstract names begin with ``@``."""
    return next((service for service in SERVICES if re.match(service.address, address)), None)
