"""Why a machine refuses namespaces, and what would change that."""

from __future__ import annotations

import errno
import os

SWITCHES = (
    ("kernel.unprivileged_userns_clone", "0", "`sysctl -w kernel.unprivileged_userns_clone=1` allows them"),
    (
        "kernel.apparmor_restrict_unprivileged_userns",
        "1",
        (
            "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` allows them, or an AppArmor profile with "
            "`userns,` for this Python"
        ),
    ),
    ("user.max_user_namespaces", "0", "`sysctl -w user.max_user_namespaces=15000` allows them"),
)
"""Switches of the kernel's, the value that refuses, and what allows: Debian's own, Ubuntu's own, everybody's."""
CONTAINERS = ("/.dockerenv", "/run/.containerenv")
"""Files by which Docker and Podman mark a container."""
REASONS = {
    errno.ENOSPC: "there may be no more namespaces here",
    errno.EUSERS: "namespaces are nested too deep here",
}
"""What some errors mean here: the kernel's own words are about disks and quotas."""
INSTEAD = "use `--unpacker docker` (Docker or Podman), or install proot, which lets a user replay and isolates nothing"
"""What does without namespaces."""
REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS, errno.EINVAL, errno.ENOSYS})


def explain_refusal(number: int, doing: str, *, as_root: bool) -> str:
    """Return the sentence for a refused step of setting up namespaces: what failed, why, and the next step."""
    if number not in REFUSALS:
        return f"cannot {doing}: {name_reason(number)}"
    return f"{find_cause(number, doing, as_root=as_root)}; or {INSTEAD}"


def find_cause(number: int, doing: str, *, as_root: bool) -> str:
    """Return what refused a step of setting up namespaces, and what would allow it."""
    for name, refusing, cure in SWITCHES:
        if read_switch(name) == refusing and (not as_root or number == errno.ENOSPC):  # as root it is most often EPERM
            return f"user namespaces are switched off here: {cure}"
    failed = f"cannot {doing}: {name_reason(number)}"
    if as_root:
        return f"{failed}; root lacks the rights for it here, as in a container: start the container with --privileged"
    if any(map(os.path.exists, CONTAINERS)):
        return (
            f"{failed}; start this container with `--security-opt seccomp=unconfined --security-opt "
            "systempaths=unconfined` (and `apparmor=unconfined` where the machine has AppArmor)"
        )
    return f"{failed}; a filter of system calls or a security module of this machine refuses it: ask who looks after it"


def name_reason(number: int) -> str:
    """Return what an error means here."""
    return REASONS.get(number) or os.strerror(number)


def read_switch(name: str) -> str | None:
    """Return the value of a sysctl, None where the kernel does not have it."""
    try:
        with open("/proc/sys/" + name.replace(".", "/"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
