"""The programs that start the runs of a directory target, and the table by which its script knows them.

TARGET/launchers/KIND/NUMBER   a run's launcher, as images have them
TARGET/runs                    owners and processor of the tree, and a line for each run

    plain      begins as who the program is, in a user namespace
    dropping   the same with capabilities, which it gives up
    traced     without the calls that proot does not translate
    root       begins as root, and becomes the recorded user with few capabilities
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence

from rtrace.linux.libc import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAPBSET_DROP,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_SECCOMP,
)
from rtrace.linux.seccomp import SECCOMP_MODE_FILTER
from rtrace.manifest.model import Run
from rtrace.printable import printable
from rtrace_unpackers.engines.image.descriptors import Step
from rtrace_unpackers.engines.image.launcher import LauncherData, PlanFirst, build_launcher, find_processor, no_steps
from rtrace_unpackers.isolation.planning.isolation_plan import KEPT_CAPABILITIES
from rtrace_unpackers.isolation.users.ids import refuse_many, refuse_no_id
from rtrace_unpackers.launchers.elf import WIDE
from rtrace_unpackers.launchers.processors import CALLS, Processor
from rtrace_unpackers.proot.untranslated import build_traced_filter

PLAIN, DROPPING, TRACED, ROOT = "plain", "dropping", "traced", "root"
SYS_CHROOT = 18
"""CAP_SYS_CHROOT: the way out of a root that was changed by chroot(2) alone."""
FIRST_UNKNOWN = 38
"""Capabilities from here on are newer than some kernels; what they allow, the filter of calls refuses."""


def plan_filter(data: LauncherData, processor: Processor) -> Sequence[Step]:
    """Plan to have no call that proot does not translate: the launcher's own look-ups are no exception."""
    control = CALLS[processor.name]["prctl"]
    program = data.add_filter(build_traced_filter(processor.kernel))
    return ((control, PR_SET_NO_NEW_PRIVS, 1, 0, 0), (control, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0))


def plan_dropping(_data: LauncherData, processor: Processor) -> Sequence[Step]:
    """Plan to give up all capabilities but those of a replay, so that the program has no others, whoever it is."""
    control = CALLS[processor.name]["prctl"]
    kept = {*KEPT_CAPABILITIES} - {SYS_CHROOT}
    dropped = (number for number in range(FIRST_UNKNOWN) if number not in kept)
    return (
        (control, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0),
        *((control, PR_CAPBSET_DROP, number, 0, 0) for number in dropped),
    )


def plan_identity(run: Run) -> PlanFirst:
    """Return what plans to become the user of a run, with few capabilities."""

    def plan(data: LauncherData, processor: Processor) -> Sequence[Step]:
        calls, wide = CALLS[processor.name], "32" if processor.word < WIDE else ""  # i386 has older ones for 16 bits
        groups = struct.pack(f"={len(run.groups)}I", *run.groups)
        return (
            *plan_dropping(data, processor),
            (calls[f"setgroups{wide}"], len(run.groups), data.add_string(groups), 0, 0),
            (calls[f"setresgid{wide}"], run.gid, run.gid, run.gid, 0),
            (calls[f"setresuid{wide}"], run.uid, run.uid, run.uid, 0),
        )

    return plan


def build_starters(runs: Sequence[Run], *, as_root: bool) -> Iterator[tuple[str, str, bytes]]:
    """Yield the launchers of runs: kind, name and program. Raises TargetError for what no launcher can start."""
    for number, run in enumerate(runs, start=1):
        refuse_no_id((run.uid, run.gid, *run.groups), run.id)
        refuse_many(run.groups, run.id)
        if as_root:
            yield ROOT, str(number), build_launcher(run, plan_identity(run))
            continue
        for kind, first in ((PLAIN, no_steps), (DROPPING, plan_dropping)):
            yield kind, str(number), build_launcher(run, first)
        traced = build_traced_filter(find_processor(run.architecture).kernel)
        yield TRACED, str(number), build_launcher(run, plan_filter, traced)


def render_table(runs: Sequence[Run], *, as_root: bool) -> bytes:
    """Return the table of runs. What a bundle says is in octal, so that no shell can take it for something else."""
    lines = [f"owners {'recorded' if as_root else 'caller'}", f"architecture {runs[0].architecture}"]
    lines += render_lines(runs)
    return "".join(f"{line}\n" for line in lines).encode("ascii", "backslashreplace")


def render_lines(runs: Iterable[Run]) -> Iterator[str]:
    """Yield a run's line: number, user, group, host and id in octal, and the id as people may read it."""
    for number, run in enumerate(runs, start=1):
        host, name = encode(run.hostname), encode(run.id)
        shown = ascii(printable(os.fsencode(run.id)))[1:-1]
        yield f"{number} {run.uid} {run.gid} {host} {name} {shown}"


def encode(text: str) -> str:
    r"""Return text as `printf %b` reads it: ``\0101`` for A. An empty one is ``\c``, which prints nothing."""
    return "".join(f"\\0{byte:03o}" for byte in text.encode("utf-8", "surrogateescape")) or "\\c"
