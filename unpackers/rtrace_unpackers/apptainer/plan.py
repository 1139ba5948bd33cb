"""What happens in a container, as values: the tool's command line and settings, and the calls of the first process.

Apptainer gives a container the user who started it, no other. The first process makes a user namespace of its own in
which that one is the user of the run, and has no more rights than a replay in namespaces: few capabilities, and the
same filter of calls. Where the system gives no further namespace, the run has the caller's ids.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rtrace.linux.libc import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAPBSET_DROP,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_SECCOMP,
)
from rtrace.linux.seccomp import SECCOMP_MODE_FILTER
from rtrace_unpackers.apptainer.own_places import ENVIRONMENT
from rtrace_unpackers.apptainer.settings import SETTINGS
from rtrace_unpackers.isolation.kernel.namespaces import Namespace
from rtrace_unpackers.isolation.kernel.privileges import CAPABILITY_VERSION_3
from rtrace_unpackers.isolation.planning.isolation_plan import KEPT_CAPABILITIES, Program
from rtrace_unpackers.isolation.planning.steps import (
    AT_FDCWD,
    O_CLOEXEC,
    CallResult,
    Filter,
    Stage,
    Step,
    Steps,
    plan_last_calls,
)

ENTRY = "/.rtrace"
"""Where the launcher appears; the tree has a folder of this name."""
LAUNCHER_FOLDER, LAUNCHER = "launchers", "start"
TREE, KEPT_MEMORY, SYSTEM, NOTHING = "tree", "kept", "sys", "nothing"
"""In the workspace: links to the tree and to its own /dev/shm, what becomes /sys, an empty folder."""
PROCESSORS = "/sys/devices/system"
NOT_MOUNTED = "home,cwd,tmp,sys,hostfs,bind-paths"
LAST_CAPABILITY, LAST_DESCRIPTOR = 63, 0xFFFFFFFF
O_WRONLY = 1
FIRST_PROCESSES = 1
"""Processes in the namespace of a run besides those of its program."""


@dataclass(frozen=True, slots=True)
class Containment:
    """How one replay is shut in. ``processes`` is how many it may have; ``hostname`` is what the machine is called."""

    hostname: bytes
    filter: bytes
    network: bool = False
    keeps_memory: bool = False
    has_scripts: bool = False
    has_settings: bool = False
    processes: int | None = None
    has_namespace: bool = True

    def list_arguments(self, tool: str) -> tuple[str, ...]:
        """Return the command line. Paths of the workspace are relative: others could have a colon or a comma."""
        return (
            tool,
            "--silent",
            *(("--config", SETTINGS) if self.has_settings else ()),
            "exec",
            *("--writable", "--containall", "--no-home", "--cleanenv", "--no-init", "--no-mount", NOT_MOUNTED),
            *(() if self.network else ("--net", "--network", "none")),
            *("--bind", f"{LAUNCHER_FOLDER}:{ENTRY}:ro"),
            *("--bind", f"{SYSTEM}:/sys:ro", "--bind", f"{PROCESSORS}:{PROCESSORS}:ro"),
            *(("--bind", f"{KEPT_MEMORY}:/dev/shm") if self.keeps_memory else ()),
            *(("--bind", f"{NOTHING}:{ENVIRONMENT.decode()}:ro") if self.has_scripts else ()),
            *("--pwd", "/", TREE, f"{ENTRY}/{LAUNCHER}"),
        )

    def plan_calls(self, program: Program, *, has_terminal: bool) -> Steps:
        """Plan the last steps of a replay."""
        steps = plan_last_calls(program, has_terminal=has_terminal)
        own = (
            *plan_closing({0, 1, 2, steps.report, *(one.number for one in program.pipes)}),
            *(plan_namespace(program, self.hostname) if self.has_namespace else ()),
            Step("prctl", (PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)),
            *plan_limit(self.processes),
            *plan_capabilities(),
            Step("prctl", (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), Stage.IDENTITY),
            Step("prctl", (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, Filter(self.filter)), Stage.IDENTITY),
        )
        return replace(steps, before=(*own, *steps.before))


def plan_closing(kept: set[int]) -> Iterable[Step]:
    """Yield the steps that close what the tool may have left open, all descriptors but some; see close_range(2)."""
    first = 0
    for number in sorted(kept):
        if number > first:
            yield Step("close_range", (first, number - 1, 0))
        first = number + 1
    yield Step("close_range", (first, LAST_DESCRIPTOR, 0))


def plan_namespace(program: Program, hostname: bytes) -> Iterable[Step]:
    """Yield the steps that make a user namespace with the ids of the run, see user_namespaces(7), and its hostname."""
    yield Step("unshare", (int(Namespace.USER | Namespace.UTS),), Stage.NAMESPACES)
    for name, content in (
        ("setgroups", b"deny"),
        ("gid_map", b"%d %d 1" % (program.gid, os.getegid())),
        ("uid_map", b"%d %d 1" % (program.uid, os.geteuid())),
    ):
        yield Step("openat", (AT_FDCWD, b"/proc/self/" + name.encode(), O_WRONLY | O_CLOEXEC), Stage.NAMESPACES, name)
        yield Step("write", (CallResult(name), content, len(content)), Stage.NAMESPACES)
    yield Step("sethostname", (hostname, len(hostname)), Stage.NAMESPACES)


def plan_limit(processes: int | None) -> Iterable[Step]:
    """Yield the step that limits processes: in a namespace of its own, a user has a count of his own (Linux 5.14)."""
    if processes is not None:
        limit = struct.pack("=QQ", *(processes + FIRST_PROCESSES,) * 2)
        yield Step("prlimit64", (0, resource.RLIMIT_NPROC, limit, 0))


def plan_capabilities() -> Iterable[Step]:
    """Yield the steps that keep few capabilities, see capabilities(7); what a kernel does not know has none."""
    for number in range(LAST_CAPABILITY + 1):
        if number not in KEPT_CAPABILITIES:
            yield Step("prctl", (PR_CAPBSET_DROP, number, 0, 0, 0))
    yield Step("prctl", (PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    mask = sum(1 << number for number in KEPT_CAPABILITIES)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    yield Step("capset", (header, struct.pack("=IIIIII", mask, mask, 0, 0, 0, 0)))
