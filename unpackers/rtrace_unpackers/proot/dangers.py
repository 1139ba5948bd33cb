"""What a replay under proot may be granted, and what a person is told of it each time."""

from __future__ import annotations

from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace.replay.foreign import tell_foreign
from rtrace.replay.grants import Grants

WARNING = (
    "replayed under proot, which does not isolate: it has your network, sees your processes, and a hostile program can "
    "reach your files"
)
REFUSED_TO_ROOT = (
    "proot is not for root: what it runs would be root here. Replay as a plain user, or with `--unpacker docker`"
)


def refuse_root(*, is_root: bool) -> None:
    """Raise TargetError for root."""
    if is_root:
        raise TargetError(REFUSED_TO_ROOT)


def refuse_grants(grants: Grants) -> None:
    """Raise TargetError for what cannot be granted under proot."""
    if grants.display or grants.gpu:
        what = "a display" if grants.display else "a graphics processor"
        raise TargetError(f"a replay under proot cannot be given {what}; use `--unpacker chroot` where namespaces work")
    for port in grants.ports:
        if port.host != port.target:
            raise TargetError(
                f"a replay under proot has this machine's ports, so port {port.target} cannot be reached at "
                f"{port.host}; ask for {port.target}:{port.target}"
            )


def refuse_emulation(run: Run) -> None:
    """Raise TargetError for programs that need an emulator: with one, proot shows all of the machine's files."""
    foreign = tell_foreign((run,))
    if foreign is not None:
        raise TargetError(
            f"{foreign}: under proot an emulated program would be shown all of this machine's files; "
            "replay it with `--unpacker docker`, or where there are user namespaces"
        )
