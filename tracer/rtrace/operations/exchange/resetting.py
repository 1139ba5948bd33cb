"""`rtrace reset`: a target as it was when it had been unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.errors import TargetError
from rtrace.operations.exchange.bundles import find_bundle
from rtrace.operations.exchange.programs import BUSYBOX, has_program, put_shell
from rtrace.operations.exchange.settling import open_settled, settled_notes
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rtrace.elsewhere.sources import Sources
    from rtrace.replay.protocol import Target


def had_own_shell(target: Target) -> bool:
    """Whether a shell was added to a target; none was to one that cannot be looked into."""
    try:
        return has_program(target, BUSYBOX)
    except TargetError:
        return False


def reset(
    path: Path, named: Path | None, sources: Sources, say: Callable[[str], None], progress: Progress = SILENT
) -> None:
    """Bring back the packed state of a target, from the bundle that is named or kept in it.

    A shell that was added when it was unpacked is added again. Raises BusyError, BundleError, ElsewhereError and
    TargetError.
    """
    target = open_settled(path, say)
    bundle = find_bundle(path, named)
    with settled_notes(target, say) as notes:
        had_shell = had_own_shell(target)
        target.reset(bundle, progress=progress, sources=sources)
        notes.clear()
        if had_shell:
            put_shell(target)
