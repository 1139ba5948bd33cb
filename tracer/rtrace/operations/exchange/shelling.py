"""`rtrace shell`: a shell, or any command, in a target, as a replay of a run would be."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.errors import CommandNotFoundError, TargetError
from rtrace.operations.exchange.programs import BUSYBOX, find_program, find_shell
from rtrace.printable import printable
from rtrace.replay.needs import choose_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.limits import Limits
    from rtrace.manifest.model import Run
    from rtrace.replay.grants import Grants
    from rtrace.replay.protocol import Outcome, Target

USUAL_PATH = b"/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def plan_shell(target: Target, name: str | None, command: Sequence[bytes]) -> Run:
    """Return the run that is a shell, or a command, in the place of one of the target's runs.

    Raises UsageError for a run that does not exist, TargetError where there is no shell, CommandNotFoundError.
    """
    runs = choose_runs(target.runs(), [name] if name is not None else [], target.path)
    if not runs:
        raise TargetError(f"{target.path} has no run, so nobody knows as whom and where to look around")
    run = replace(runs[0], id="shell", stdin=None, stdout=None, stderr=None, descriptors=(), needs=())
    if command:
        return replace(run, binary=locate(target, run, command[0]), argv=tuple(command))
    shell = find_shell(target)
    if shell is None:
        raise TargetError(
            f"{target.path} has no shell; `rtrace unpack --with-shell` adds one, or name a program: "
            f"rtrace shell {target.path} -- PROGRAM"
        )
    argv = (b"busybox", b"sh") if shell == BUSYBOX else (shell.rpartition(b"/")[2],)
    return replace(run, binary=shell, argv=argv)


def locate(target: Target, run: Run, program: bytes) -> bytes:
    """Return where a program is, as a shell would look for it. Raises CommandNotFoundError."""
    if b"/" in program:
        return program
    path = dict(run.environ).get(b"PATH") or USUAL_PATH
    folders = [os.path.join(run.workingdir, folder) for folder in path.split(b":")]
    found = find_program(target, [os.path.join(folder, program) for folder in folders])
    if found is None:
        raise CommandNotFoundError(
            f"{target.path} has no program {printable(program)} in the run's PATH; name its path"
        )
    return found


def run_shell(target: Target, run: Run, limits: Limits, grants: Grants) -> Outcome:
    """Run what was planned, with the standard streams of this process. Raises TargetError and BusyError."""
    return target.run(run, limits=limits, grants=grants)
