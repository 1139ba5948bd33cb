"""Carry out a run in Apptainer's container: as a replay in namespaces is, but for who makes these.

caller -- fork --> keeper -- fork --> apptainer -- clone --> launcher -- fork --> program
^ ^                                                             |                   |
| +------------- report (a pipe) -------------------------------+-------------------+
+--------------- channel (a socket): limits go in, the terminal comes out
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.files.workspaces import temporary
from rtrace.limits import Limits
from rtrace.manifest.model import Run
from rtrace.replay.foreign import refuse_without_emulator
from rtrace.replay.grants import Grants
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.apptainer.own_places import has_scripts
from rtrace_unpackers.apptainer.plan import (
    KEPT_MEMORY,
    LAUNCHER,
    LAUNCHER_FOLDER,
    NOTHING,
    PROCESSORS,
    SYSTEM,
    TREE,
    Containment,
)
from rtrace_unpackers.apptainer.settings import RENDERED_SETTINGS, SETTINGS
from rtrace_unpackers.apptainer.tool import demand_tool, make_environment, takes_settings
from rtrace_unpackers.files.descent import exists_in
from rtrace_unpackers.isolation.kernel.namespaces import Namespace
from rtrace_unpackers.isolation.kernel.privileges import join_new_session_keyring
from rtrace_unpackers.isolation.kernel.seccomp import build_filter
from rtrace_unpackers.isolation.planning.isolation_plan import Isolation, plan_isolation
from rtrace_unpackers.isolation.planning.steps import Stage
from rtrace_unpackers.isolation.running.first_process import Means, arrange_descriptors, give_null_device
from rtrace_unpackers.isolation.running.keeper import ProgramEnds
from rtrace_unpackers.isolation.running.replay import Road, replay
from rtrace_unpackers.isolation.running.report import Record, write_record
from rtrace_unpackers.isolation.users.access import Access, MappedBy
from rtrace_unpackers.isolation.users.ids import Maps, map_one, refuse_no_id
from rtrace_unpackers.limits.resources import Resources, apply
from rtrace_unpackers.limits.usage import list_descendants
from rtrace_unpackers.proot.keeper import Tool, be_keeper, give_terminal, send
from rtrace_unpackers.proot.running import TracedSupervision

ROOM = 64
"""Processes and threads that the tool may have itself, beside those of a run."""
OWN_IDS = "it had your user and group, and this machine's name: within Apptainer's container there is no user namespace"


class NoNamespaceError(TargetError):
    """The first process gets no user namespace of its own."""


class ContainedSupervision(TracedSupervision):
    """Supervises a replay in a container of Apptainer's."""

    __slots__ = ()
    tool = "apptainer"

    def map_ids(self) -> None:
        """Start the clock, and hand in the limits of each process."""
        self.watch.own += ROOM
        super().map_ids()

    def run(self) -> list[Record]:
        """Listen until all have ended. Raises NoNamespaceError, and TargetError when the run never began."""
        records = super().run()
        if any(record.stage is Stage.NAMESPACES for record in records):
            raise NoNamespaceError(OWN_IDS)
        return records


def run_contained(run: Run, tree: int, streams: Streams, limits: Limits, grants: Grants) -> Outcome:
    """Replay a run in a tree, an open directory. Raises what `replay` does."""
    tool = demand_tool()
    refuse_grants(grants)
    refuse_no_id((run.uid, run.gid), run.id)
    refuse_without_emulator(run)
    access = Access(Maps(map_one(run.uid, os.geteuid()), map_one(run.gid, os.getegid())), MappedBy.ITSELF)
    isolation = replace(plan_isolation(run, access, allowed=grants.calls), namespaces=Namespace(0), setup=())
    containment = Containment(
        os.fsencode(run.hostname),
        build_filter(os.uname().machine, isolation.allowed),
        network=grants.network,
        keeps_memory=exists_in(tree, SHARED_MEMORY),
        has_scripts=has_scripts(tree),
        has_settings=takes_settings(tool),
        processes=limits.processes,
    )
    try:
        return contain(tool, containment, isolation, tree, run, streams, limits)
    except NoNamespaceError:
        debug(__name__, "once more, with the ids of the caller")
    own = replace(isolation.program, uid=os.geteuid(), gid=os.getegid(), groups=None)
    outcome = contain(
        tool,
        replace(containment, has_namespace=False, processes=None),
        replace(isolation, program=own),
        tree,
        run,
        streams,
        limits,
    )
    return replace(outcome, notes=(*outcome.notes, OWN_IDS))


def contain(
    tool: str,
    containment: Containment,
    isolation: Isolation,
    tree: int,
    run: Run,
    streams: Streams,
    limits: Limits,
) -> Outcome:
    """Replay a run in a container."""
    with temporary("run") as workspace:
        furnish(workspace, os.readlink(b"/proc/self/fd/%d" % tree))
        between = Tool(
            os.path.basename(tool),
            os.fsencode(f"{LAUNCHER_FOLDER}/{LAUNCHER}"),
            starting(tool, containment, workspace),
            hand_on,
        )

        def keep(_isolation: Isolation, means: Means, ends: ProgramEnds) -> int:
            return be_keeper(means, ends, between, workspace)

        road = Road(containment.plan_calls, lambda _machine, _allowed: containment.filter, keep, ContainedSupervision)
        return replay(isolation, tree, run.id, streams, limits, road=road)


def furnish(workspace: Path, tree: bytes) -> None:
    """Make what the tool is given besides the tree: a place for the launcher, an empty /sys, and its configuration."""
    os.symlink(tree, workspace / TREE)
    os.symlink(tree + SHARED_MEMORY, workspace / KEPT_MEMORY)
    os.mkdir(workspace / LAUNCHER_FOLDER, 0o700)
    os.mkdir(workspace / NOTHING, 0o700)
    os.makedirs(workspace / SYSTEM / PROCESSORS.removeprefix("/sys/"))
    (workspace / SETTINGS).write_text(RENDERED_SETTINGS, encoding="ascii")


def starting(tool: str, containment: Containment, workspace: Path) -> Callable[[Means, Resources], None]:
    """Return what becomes the tool; it returns only when that failed."""
    words, environment = containment.list_arguments(tool), dict(make_environment(workspace))

    def become(means: Means, resources: Resources) -> None:
        doing, report = "connect its standard streams", means.report
        try:
            os.setsid()
            if means.appearance is not None:
                give_terminal(means, means.appearance)
            give_null_device(means.absent)
            with contextlib.suppress(PermissionError):  # where nobody may have one, as in a container, the run has none
                join_new_session_keyring()
            doing = "limit its resources"
            apply(resources)
            os.close(arrange_descriptors(means))
            report = means.report_number
            doing = f"start {os.path.basename(tool)}"
            os.execve(tool, words, environment)
        except OSError as error:
            write_record(report, Stage.SETUP, error.errno or 0, doing)

    return become


def hand_on(number: int, tool: int, _leads_group: bool) -> None:  # noqa: FBT001 -- as `Tool` has it
    """Hand a signal on to the first process of the container, which hands it on to the program."""
    send(number, [process for process in list_descendants(tool) if is_first(process)])


def is_first(process: int) -> bool:
    """Whether a process is the first one of a PID namespace below ours; see proc(5), NSpid."""
    try:
        with open(f"/proc/{process}/status", "rb") as file:
            ids = next((line.split()[1:] for line in file if line.startswith(b"NSpid:")), [])
    except OSError:  # ENOENT, ESRCH: it has ended meanwhile
        return False
    return len(ids) > 1 and ids[-1] == b"1"


def refuse_grants(grants: Grants) -> None:
    """Raise TargetError for what a container is not given."""
    wanted = (
        (grants.display, "a display (--x11)"),
        (grants.gpu, "a graphics processor (--gpu)"),
        (bool(grants.ports), "ports (--port)"),
    )
    for is_wanted, what in wanted:
        if is_wanted:
            raise TargetError(f"an apptainer target cannot be given {what}; use the chroot or docker unpacker")
