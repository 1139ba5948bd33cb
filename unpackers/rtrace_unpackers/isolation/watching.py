"""Hold one replay to its limits: what the kernel does by itself, what is looked at now and then, and what is told."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from rtrace.limits import Limits
from rtrace.printable import format_size
from rtrace_unpackers.limits.groups import Group, new_group
from rtrace_unpackers.limits.resources import Resources
from rtrace_unpackers.limits.usage import count_threads, measure_memory, measure_tree

OWN_PROCESSES = 2
"""The keeper and the first process count as the replay's."""
MEMORY_INTERVAL = 0.1
DISK_INTERVAL = COUNT_INTERVAL = 0.5
SHARE = 10
"""Looking takes at most a tenth of the time."""


@dataclass(slots=True)
class Watch:
    """The limits of a replay while it runs. ``notes`` say what was reached, and what could not be had."""

    limits: Limits
    tree: int
    group: Group | None
    resources: Resources
    notes: list[str] = field(default_factory=list)
    disk_before: int = 0
    next_memory: float = math.inf
    next_disk: float = math.inf
    next_count: float = math.inf
    deadline: float = math.inf

    def begin(self, keeper: int) -> None:
        """Start the clock, and put the first of the processes into the group of all."""
        if self.group is not None:
            try:
                self.group.adopt(keeper)
                self.group.limit(
                    memory=self.limits.memory,
                    cpus=self.limits.cpus,
                    processes=None if self.limits.processes is None else self.limits.processes + OWN_PROCESSES,
                )
            except OSError:  # EACCES and others: not delegated after all; what is left is told
                self.group = None
        now = time.monotonic()
        if self.limits.timeout is not None:
            self.deadline = now + self.limits.timeout
        if self.limits.memory is not None and not self.has("memory"):
            self.next_memory = now
            self.notes.append("memory is looked at ten times a second, for there is no control group to be had here")
        if self.limits.processes is not None and not self.has("pids"):
            self.next_count = now + COUNT_INTERVAL
        if self.limits.cpus is not None and not self.has("cpu"):
            self.notes.append(
                f"of the processors only a whole number can be given to it, {math.ceil(self.limits.cpus)}, "
                "for there is no control group to be had here"
            )
        if self.limits.disk is not None:
            self.disk_before = measure_tree(self.tree)
            self.next_disk = now + DISK_INTERVAL

    def has(self, controller: str) -> bool:
        """Whether the kernel holds the replay to a limit by itself."""
        return self.group is not None and controller in self.group.folders

    def wait(self) -> float | None:
        """Return the seconds until the next look; None for never."""
        next_look = min(self.next_memory, self.next_disk, self.next_count, self.deadline)
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
        if now >= self.next_disk and self.limits.disk is not None:
            if measure_tree(self.tree) - self.disk_before > self.limits.disk:
                return "disk"
            self.next_disk = self.after(now, DISK_INTERVAL)
        if now >= self.next_count and self.limits.processes is not None:
            self.next_count = self.after(now, COUNT_INTERVAL)
            if count_threads(keeper) >= self.limits.processes + OWN_PROCESSES:
                self.next_count = math.inf
                self.notes.append(f"it reached the limit of {self.limits.processes} processes (--pids)")
        return None

    def after(self, began: float, interval: float) -> float:
        """Return when to look again after a look."""
        now = time.monotonic()
        return now + max(interval, SHARE * (now - began))

    def end(self) -> str | None:
        """Note what the kernel did for the limits; return the one that it ended a process for."""
        if self.group is None:
            return None
        forks = self.group.count_refused_forks()
        if forks and self.limits.processes is not None:
            self.notes.append(f"it was refused more than {self.limits.processes} processes, {forks} times (--pids)")
        return "memory" if self.group.count_kills() else None


@contextlib.contextmanager
def plan_watch(limits: Limits, tree: int) -> Iterator[Watch]:
    """Yield the watch over a replay; the group of its processes is removed afterwards."""
    wanted = {"memory": limits.memory, "cpu": limits.cpus, "pids": limits.processes}
    with new_group(name for name, value in wanted.items() if value is not None) as group:
        yield Watch(limits, tree, group, plan_resources(limits, group.folders if group is not None else ()))


def plan_resources(limits: Limits, controllers: Container[str]) -> Resources:
    """Return the limits that each process has for itself, beside those that a group's controllers have for all."""
    import resource

    each: list[tuple[int, int]] = []
    if limits.processes is not None and "pids" not in controllers:
        each.append((resource.RLIMIT_NPROC, limits.processes + OWN_PROCESSES))
    if limits.disk is not None:
        each.append((resource.RLIMIT_FSIZE, limits.disk))
    processors = None if limits.cpus is None or "cpu" in controllers else max(1, math.ceil(limits.cpus))
    return Resources(tuple(each), processors)


def describe_limit(reached: str, limits: Limits) -> str:
    """Say that a limit ended a replay, and how to raise it."""
    match reached:
        case "timeout":
            return f"it was ended after {limits.timeout:g} seconds (--timeout)"
        case "memory":
            return f"it was ended for using more than {format_size(limits.memory or 0)} of memory (--memory)"
        case "output":
            return f"it was ended for printing more than {format_size(limits.output or 0)} (--max-output)"
        case _:
            return f"it was ended for writing more than {format_size(limits.disk or 0)} to the disk (--disk)"
