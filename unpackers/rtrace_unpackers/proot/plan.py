"""What happens under proot, as values: the calls of the first process, and proot's command line."""

from __future__ import annotations

import signal
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rtrace_unpackers.isolation.planning.isolation_plan import DEVICE_LINKS, DEVICES, Program
from rtrace_unpackers.isolation.planning.steps import PR_SET_DUMPABLE, Stage, Step, Steps, plan_last_calls

LAUNCHER = b".rtrace"
"""The first process's program, in the replay's /dev: nothing of a bundle is there."""
DEVICES_FOLDER, OWN_FOLDER, SHARED_MEMORY_FOLDER = b"dev", b"own", b"dev/shm"
KEPT_MEMORY = b"kept"
"""In the workspace: what becomes /dev, proot's own files, and a link to the tree's own /dev/shm."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SHOWN = (b"/proc", b"/sys/devices/system")
"""What a replay sees of the machine: programs look up themselves, processors and memory there."""
LINKS = tuple(link for link in DEVICE_LINKS if link[0] != b"ptmx")


@dataclass(frozen=True, slots=True)
class Tracing:
    """How proot is started: the program, the tree, the ids that the program is to see, and what else it is to see."""

    proot: bytes
    tree: bytes
    uid: int
    gid: int
    terminal: bytes | None = None
    keeps_memory: bool = False

    def list_arguments(self) -> tuple[bytes, ...]:
        """Return the command line. Paths of the workspace are relative: proot cuts others at a colon."""
        return (
            self.proot,
            *(b"-v", b"-1"),
            *(b"-r", self.tree),
            *(b"-i", b"%d:%d" % (self.uid, self.gid)),
            *bind(SHOWN),
            *(b"-b", DEVICES_FOLDER + b":/dev"),
            *bind(b"/dev/" + name for name in DEVICES),
            *((b"-b", KEPT_MEMORY + b":/dev/shm") if self.keeps_memory else ()),
            *((b"-b", self.terminal) if self.terminal is not None else ()),
            *(b"-w", b"/"),
            b"/dev/" + LAUNCHER,
        )


def bind(paths: Iterable[bytes]) -> Iterable[bytes]:
    """Yield the words that show paths of the machine at the same places."""
    for path in paths:
        yield from (b"-b", path)


def plan_traced_calls(program: Program, *, has_terminal: bool) -> Steps:
    """Plan the last steps of a replay under proot.

    A tracer may not look into a process that cannot be dumped, so that stays as it is. There is no namespace that ends
    with the first process: it ends with proot, and reaps what its descendants leave.
    """
    steps = plan_last_calls(program, has_terminal=has_terminal)
    own = (
        Step("prctl", (PR_SET_PDEATHSIG, int(signal.SIGKILL))),
        Step("prctl", (PR_SET_CHILD_SUBREAPER, 1)),
    )
    before = tuple(step for step in steps.before if step.arguments[:1] != (PR_SET_DUMPABLE,))
    return replace(steps, before=(*own, *before), program=tuple(translate(steps.program)))


def translate(steps: Sequence[Step]) -> Iterable[Step]:
    """Yield a program's steps without those for its ids, which proot shows, and with calls that proot knows."""
    for step in steps:
        if step.call == "openat2":
            directory, path, how, _ = step.arguments
            (flags,) = struct.unpack_from("=Q", how if isinstance(how, bytes) else b"")
            yield replace(step, call="openat", arguments=(directory, path, flags))
        elif step.stage is not Stage.IDENTITY:
            yield step
