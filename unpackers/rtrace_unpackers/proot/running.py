"""Carry out a run under proot: as a replay in namespaces is, but for who keeps its processes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from rtrace.errors import TargetError
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.files.workspaces import temporary
from rtrace.limits import Limits
from rtrace.manifest.model import Run
from rtrace.printable import printable
from rtrace.replay.grants import Grants
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.files.descent import exists_in
from rtrace_unpackers.isolation.kernel.namespaces import Namespace
from rtrace_unpackers.isolation.planning.isolation_plan import Isolation, plan_isolation
from rtrace_unpackers.isolation.running.first_process import Means
from rtrace_unpackers.isolation.running.keeper import MAPPED, ProgramEnds
from rtrace_unpackers.isolation.running.replay import Road, Supervision, replay
from rtrace_unpackers.isolation.running.report import Record
from rtrace_unpackers.isolation.running.watching import LimitWatch
from rtrace_unpackers.isolation.users.access import Access, MappedBy
from rtrace_unpackers.isolation.users.ids import Maps, map_one, refuse_no_id
from rtrace_unpackers.limits.resources import Resources, pack_resources
from rtrace_unpackers.proot.dangers import refuse_emulation, refuse_grants, refuse_root
from rtrace_unpackers.proot.finding import find_proot
from rtrace_unpackers.proot.keeper import be_keeper, furnish, make_tool
from rtrace_unpackers.proot.plan import Tracing, plan_traced_calls
from rtrace_unpackers.proot.untranslated import build_traced_filter


class TracedSupervision(Supervision):
    """Supervises a replay whose ids nobody maps."""

    __slots__ = ()
    tool = "proot"

    def map_ids(self) -> None:
        """Start the clock, and hand in the limits of each process."""
        self.watch.begin(self.control.keeper or 0)
        self.channel.send(MAPPED + pack_resources(choose_resources(self.watch)))

    def run(self) -> list[Record]:
        """Listen until all have ended. Raises TargetError when the run never began."""
        records = Supervision.run(self)
        if not records and self.control.reached is None:
            raise TargetError(f"{self.tool} ended before the run did; `rtrace doctor` tells whether it works here")
        return records


def choose_resources(watch: LimitWatch) -> Resources:
    """Return the limits of each process, without the one that would count all that this user runs."""
    import resource

    limits = tuple(limit for limit in watch.resources.limits if limit[0] != resource.RLIMIT_NPROC)
    return replace(watch.resources, limits=limits)


def run_traced(run: Run, tree: int, streams: Streams, limits: Limits, grants: Grants) -> Outcome:
    """Replay a run under proot in a tree, an open directory. Raises what `replay` does."""
    refuse_root(is_root=os.geteuid() == 0)
    refuse_grants(grants)
    refuse_no_id((run.uid, run.gid), run.id)
    refuse_emulation(run)
    proot = find_proot()
    if proot is None:
        raise TargetError("proot(1) is not installed; install the package proot")
    access = Access(Maps(map_one(run.uid, os.geteuid()), map_one(run.gid, os.getegid())), MappedBy.ITSELF)
    planned = plan_isolation(run, access, allowed=grants.calls)
    isolation = Isolation(Namespace(0), access, (), planned.program, planned.allowed)
    place = os.readlink(b"/proc/self/fd/%d" % tree)
    with temporary("run") as workspace:
        refuse_unexecutable_workspace(workspace)
        keeps_memory = exists_in(tree, SHARED_MEMORY)
        furnish(workspace, place + SHARED_MEMORY if keeps_memory else None)
        tracing = Tracing(proot, place, run.uid, run.gid, keeps_memory=keeps_memory)

        def keep(_isolation: Isolation, means: Means, ends: ProgramEnds) -> int:
            return be_keeper(means, ends, make_tool(tracing), workspace)

        road = Road(plan_traced_calls, build_traced_filter, keep, TracedSupervision)
        return replay(isolation, tree, run.id, streams, limits, road=road)


def refuse_unexecutable_workspace(workspace: Path) -> None:
    """Raise TargetError where proot's own programs could not be executed."""
    if os.statvfs(workspace).f_flag & os.ST_NOEXEC:
        shown = printable(os.fsencode(workspace.parent))
        raise TargetError(
            f"proot needs temporary files that can be executed, and {shown} is mounted noexec; set TMPDIR"
        )
