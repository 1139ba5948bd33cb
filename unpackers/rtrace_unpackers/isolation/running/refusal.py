"""Why a machine refuses namespaces, and what would change that."""

from __future__ import annotations

import errno
import os

SWITCHES = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user.max_user_namespaces", "0", "15000"),
)
REASONS = {
    errno.ENOSPC: "there may be no more namespaces here",
    errno.EUSERS: "namespaces are nested too deep here",
}
"""What some errors mean here: the kernel's own words are about disks and quotas."""
INSTEAD = "use `--unpacker docker` (Docker or Podman), or proot(1) on a target's folder `root`, which isolates nothing"
"""What does without namespaces."""
REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS, errno.EINVAL, errno.ENOSYS})


def explain_refusal(number: int, doing: str, *, as_root: bool) -> str:
    """Return the sentence for a refused step of setting up namespaces: what failed, why, and the next step."""
    failed = f"cannot {doing}: {REASONS.get(number) or os.strerror(number)}"
    if number not in REFUSALS:
        return failed
    for name, refusing, allowing in SWITCHES:
        if read_switch(name) == refusing and (not as_root or number == errno.ENOSPC):  # as root it is most often EPERM
            return f"user namespaces are switched off here. Ask for `sysctl -w {name}={allowing}`, or {INSTEAD}"
    if as_root:
        return (
            f"{failed}; root lacks the rights for it here, as in a container: start the container with "
            f"--privileged, or {INSTEAD}"
        )
    return f"{failed}; {INSTEAD}"


def read_switch(name: str) -> str | None:
    """Return the value of a sysctl, None where the kernel does not have it."""
    try:
        with open("/proc/sys/" + name.replace(".", "/"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
