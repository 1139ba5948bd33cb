"""`rtrace destroy`: a target removed, with everything that belongs to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from rtrace.errors import ForeignError
from rtrace.files.workspaces import is_removal_of
from rtrace.interrupts import shielded
from rtrace.replay.register import forget
from rtrace.replay.registry import open_target


def destroy(target: Path, gone: Iterable[Path] = ()) -> None:
    """Remove a target, unless it is in ``gone``: half removed by a process that was killed, and cleaned up just now.

    Raises TargetError when it is no target.
    """
    if os.path.lexists(target) or not any(is_removal_of(path.name, target.name) for path in gone):
        with shielded():  # half a target could not be used
            open_target(target).destroy()
    with contextlib.suppress(OSError, ForeignError):  # then `rtrace targets` finds that it is gone
        forget(target)
