"""Programs for another kind of processor than this machine's: said at once, and replayed when a person asks."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path

from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace.printable import printable
from rtrace.replay.grants import Grants

_FAMILIES = {
    "x86_64": ("x86_64", "amd64", "i386", "i486", "i586", "i686"),
    "aarch64": ("aarch64", "arm64", "arm", "armv6l", "armv7l", "armv8l"),
}
"""The kinds whose programs a machine runs by itself, besides its own; 32-bit ones where its kernel lets it."""
_OTHER_NAMES = {"amd64": "x86_64", "arm64": "aarch64", "i486": "i386", "i586": "i386", "i686": "i386"}
_REGISTERED = Path("/proc/sys/fs/binfmt_misc")


def is_foreign(architecture: str, machine: str | None = None) -> bool:
    """Whether programs for a kind of processor need an emulator on a machine, this one by default."""
    machine = machine or platform.machine()
    return architecture not in _FAMILIES.get(_OTHER_NAMES.get(machine, machine), (machine,))


def tell_foreign(runs: Iterable[Run]) -> str | None:
    """Return the sentence that runs need an emulator here; None where they do not."""
    run = next((run for run in runs if is_foreign(run.architecture)), None)
    if run is None:
        return None
    kind = printable(run.architecture.encode("utf-8", "surrogateescape"))
    return f"{run.id} has programs for {kind}, and this machine is {platform.machine()}"


def refuse_foreign(runs: Iterable[Run], grants: Grants) -> None:
    """Raise TargetError for runs that need an emulator, unless a person has asked for it."""
    foreign = None if grants.emulation else tell_foreign(runs)
    if foreign is not None:
        raise TargetError(f"{foreign}; --emulate replays it under QEMU or the engine's emulation, which is much slower")


def refuse_without_emulator(run: Run) -> None:
    """Raise TargetError where the kernel has no emulator for a run that it starts by itself in another root."""
    foreign = tell_foreign((run,))
    if foreign is not None and not has_emulator(run.architecture):
        raise TargetError(
            f"{foreign}; install qemu-user-static (and binfmt-support), so that the kernel starts QEMU for them"
        )


def has_emulator(architecture: str) -> bool:
    """Whether the kernel starts an emulator for a kind of processor, one that it has opened already.

    See binfmt_misc in the kernel's documentation: one without the flag F would be looked up in the replay's own files.
    """
    name = _OTHER_NAMES.get(architecture, architecture)
    if not name.isascii() or not name.replace("_", "").isalnum():
        return False
    try:
        lines = (_REGISTERED / f"qemu-{name}").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # ENOENT: there is none, or the file system is not mounted
        return False
    return "enabled" in lines and any(line.startswith("flags:") and "F" in line for line in lines)
