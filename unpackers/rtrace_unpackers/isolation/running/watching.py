"""Hold one replay to its limits: by the kernel where it can, by looking now and then where it cannot."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rtrace.debugging import debug
from rtrace.limits import Limits
from rtrace.printable import format_size
from rtrace_unpackers.limits.disk import DiskWatch
from rtrace_unpackers.limits.groups import Group, new_group
from rtrace_unpackers.limits.resources import Resources
from rtrace_unpackers.limits.usage import count_threads, measure_memory

OWN_PROCESSES = 2
"""The keeper and the first process count as the replay's; so does the one that makes sockets, if there is one."""
MEMORY_INTERVAL = 0.1
COUNT_INTERVAL = 0.5
SHARE = 10
"""Looking takes at most a tenth of the time."""


@dataclass(slots=True)
class LimitWatch:
    """The limits of a replay while it runs. ``notes`` say what was reached, and what could not be had.

    ``shares_user`` tells whether the program is the same user as the processes that the replay has besides.
    """

    limits: Limits
    group: Group | None
    shares_user: bool
    disk: DiskWatch | None = None
    resources: Resources = field(default_factory=Resources)
    notes: list[str] = field(default_factory=list)
    next_memory: float = math.inf
    next_count: float = math.inf
    deadline: float = math.inf
    own: int = OWN_PROCESSES

    def begin(self, keeper: int) -> None:
        """Start the clock, put the first process into the group of all, and choose the limits of each."""
        if self.group is not None:
            try:
                self.group.adopt(keeper)
                self.group.limit(
                    memory=self.limits.memory,
                    cpus=self.limits.cpus,
                    processes=None if self.limits.processes is None else self.limits.processes + self.own,
                )
            except OSError as error:  # EACCES and others: not delegated after all; what is left is told
                debug(__name__, "no control group: %s", error)
                self.group = None
        self.resources = self.choose_resources()
        debug(__name__, "control group: %s; limits of each process: %s", self.group, self.resources)
        now = time.monotonic()
        if self.limits.timeout is not None:
            self.deadline = now + self.limits.timeout
        if self.limits.memory is not None and not self.has("memory"):
            self.next_memory = now
            self.notes.append(
                "no control group is available here: memory is checked ten times a second, "
                "and files in memory are not counted"
            )
        if self.limits.processes is not None and not self.has("pids"):
            self.next_count = now + COUNT_INTERVAL
        if self.limits.cpus is not None and not self.has("cpu"):
            self.notes.append(
                "no control group is available here: it is given a whole number of processors, "
                f"{math.ceil(self.limits.cpus)}, which it may change"
            )
        if self.disk is not None:
            self.disk.process = keeper
            self.disk.start()

    def has(self, controller: str) -> bool:
        """Whether the kernel holds the replay to a limit by itself."""
        return self.group is not None and controller in self.group.folders

    def choose_resources(self) -> Resources:
        """Return the limits that each process has for itself, beside those that the group has for all."""
        import resource

        each: list[tuple[int, int]] = []
        if self.limits.processes is not None and not self.has("pids"):
            own = self.own if self.shares_user else 0
            each.append((resource.RLIMIT_NPROC, self.limits.processes + own))
        if self.limits.disk is not None and self.disk is not None:
            each.append((resource.RLIMIT_FSIZE, self.limits.disk + self.disk.before))  # files that are there may stay
        has_processors = self.limits.cpus is None or self.has("cpu")
        return Resources(tuple(each), None if has_processors else max(1, math.ceil(self.limits.cpus or 0)))

    def wait(self) -> float | None:
        """Return the seconds until the next look; None for never."""
        next_look = min(self.next_memory, self.next_count, self.deadline)
        return None if math.isinf(next_look) else max(0.0, next_look - time.monotonic())

    def look(self, keeper: int) -> str | None:
        """Return which limit has been reached, None when none is."""
        now = time.monotonic()
        if now >= self.deadline:
            self.deadline = math.inf
            return "timeout"
        if now >= self.next_memory and self.limits.memory is not None:
            if measure_memory(keeper, self.limits.memory) > self.limits.memory:
                return "memory"
            self.next_memory = self.after(now, MEMORY_INTERVAL)
        if now >= self.next_count and self.limits.processes is not None:
            self.next_count = self.after(now, COUNT_INTERVAL)
            return self.count(keeper, self.limits.processes)
        return None

    def count(self, keeper: int, limit: int) -> str | None:
        """Return that there are more processes than may be: each user of a replay may have as many."""
        found = count_threads(keeper) - self.own
        if found == limit:
            self.next_count = math.inf
            self.notes.append(f"it reached the limit of {limit} processes (--pids)")
        return "processes" if found > limit else None

    def after(self, began: float, interval: float) -> float:
        """Return when to look again after a look."""
        now = time.monotonic()
        return now + max(interval, SHARE * (now - began))

    def end(self) -> str | None:
        """Note what was reached in the end; return the limit that the kernel ended a process for."""
        if self.disk is not None and self.disk.finish() and self.limits.disk is not None:
            self.notes.append(f"it wrote more than {format_size(self.limits.disk)} to the disk (--disk)")
        if self.group is None:
            return None
        forks = self.group.count_refused_forks()
        if forks and self.limits.processes is not None:
            self.notes.append(f"it was refused more than {self.limits.processes} processes, {forks} times (--pids)")
        return "memory" if self.group.count_kills() else None


@contextlib.contextmanager
def plan_watch(
    limits: Limits, tree: int, end_by: Callable[[str], None], *, shares_user: bool, own: int = OWN_PROCESSES
) -> Iterator[LimitWatch]:
    """Yield the watch over a replay; the group of its processes is removed afterwards.

    ``end_by`` ends the replay because of a limit, whichever thread calls it. ``own`` is how many of its processes are
    not the program's.
    """
    wanted = {"memory": limits.memory, "cpu": limits.cpus, "pids": limits.processes}
    disk = None if limits.disk is None else DiskWatch(tree, limits.disk, lambda: end_by("disk"))
    with new_group(name for name, value in wanted.items() if value is not None) as group:
        yield LimitWatch(limits, group, shares_user, disk, own=own)
