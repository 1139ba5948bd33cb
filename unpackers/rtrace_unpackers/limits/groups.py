"""Control groups, of version 2 where they are delegated and of version 1 where they are ours; see cgroups(7).

hierarchy of version 2:  the caller's group, or the first above it in which controllers can be enabled
hierarchies of version 1:  the caller's group in each
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtrace.debugging import debug

PREFIX = "rtrace-"
PERIOD = 100_000
"""Microseconds, over which processor time is measured out."""


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """Where this process's own control groups are: the folder of version 2 with its root, those of version 1."""

    unified: Path | None = None
    unified_root: Path | None = None
    by_controller: Mapping[str, Path] = field(default_factory=dict)


@dataclass(slots=True)
class Group:
    """The folders of a new group by controller; in version 2 they are one folder."""

    folders: dict[str, Path]
    unified: bool

    def adopt(self, process: int) -> None:
        """Put a process into the group, and with it those that it forks from now on. Raises OSError."""
        for folder in set(self.folders.values()):
            write(folder / "cgroup.procs", str(process))

    def limit(self, *, memory: int | None, cpus: float | None, processes: int | None) -> None:
        """Set limits for all processes of the group together. Raises OSError."""
        if memory is not None and "memory" in self.folders:
            folder = self.folders["memory"]
            write(folder / ("memory.max" if self.unified else "memory.limit_in_bytes"), str(memory))
            with contextlib.suppress(OSError):  # ENOENT: a kernel that does not count swap
                write(folder / "memory.swap.max", "0") if self.unified else write(
                    folder / "memory.memsw.limit_in_bytes", str(memory)
                )
        if cpus is not None and "cpu" in self.folders:
            folder, quota = self.folders["cpu"], max(1000, round(cpus * PERIOD))
            if self.unified:
                write(folder / "cpu.max", f"{quota} {PERIOD}")
            else:
                write(folder / "cpu.cfs_period_us", str(PERIOD))
                write(folder / "cpu.cfs_quota_us", str(quota))
        if processes is not None and "pids" in self.folders:
            write(self.folders["pids"] / "pids.max", str(processes))

    def count_kills(self) -> int:
        """Return how many processes the kernel killed because the group's memory was used up."""
        folder = self.folders.get("memory")
        if folder is None:
            return 0
        return read_count(folder / ("memory.events" if self.unified else "memory.oom_control"), "oom_kill")

    def count_refused_forks(self) -> int:
        """Return how often the kernel refused a further process."""
        folder = self.folders.get("pids")
        return read_count(folder / "pids.events", "max") if folder is not None else 0

    def remove(self) -> None:
        """Remove the group once its processes, killed before, are gone."""
        for folder in set(self.folders.values()):
            for _ in range(200):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # EBUSY: the kernel is still at the last of its processes
                    time.sleep(0.01)
                else:
                    break


def write(path: Path, text: str) -> None:
    """Write to a control file, in one write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def read_count(path: Path, name: str) -> int:
    """Return a number from a control file of names and numbers, 0 if it is not there."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:  # ENOENT: a kernel that does not count this
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)


def find_hierarchies(own: str, mounts: str) -> Hierarchies:
    """Find this process's groups in the texts of /proc/self/cgroup and /proc/self/mountinfo."""
    paths: dict[str, str] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    unified = root = None
    found: dict[str, Path] = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        words, kind = before.split(), after.split()
        mounted_root, point = words[3], words[4].encode().decode("unicode_escape")
        if kind[0] == "cgroup2" and "" in paths:
            root = Path(point)
            unified = place(root, mounted_root, paths[""])
        elif kind[0] == "cgroup":
            for controller in kind[2].split(","):
                if controller in paths:
                    found[controller] = place(Path(point), mounted_root, paths[controller])
    return Hierarchies(unified, root, found)


def place(point: Path, mounted_root: str, path: str) -> Path:
    """Return where a group's folder is below the mount of its hierarchy; only a part of that may be mounted."""
    inside = os.path.relpath(path, mounted_root)
    return point if inside == "." or inside.startswith("..") else point / inside


@contextlib.contextmanager
def new_group(wanted: Iterable[str]) -> Iterator[Group | None]:
    """Yield a group with as many of some controllers as can be had here, and remove it; None without any."""
    controllers = frozenset(wanted)
    group = None
    if controllers:
        try:
            own = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="surrogateescape")
            mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:  # ENOENT: a kernel without control groups
            own = mounts = ""
        hierarchies = find_hierarchies(own, mounts)
        remove_dead(hierarchies)
        name = f"{PREFIX}{os.getpid()}-{os.urandom(8).hex()}"
        group = make_unified(hierarchies, controllers, name) or make_by_controller(hierarchies, controllers, name)
    try:
        yield group
    finally:
        if group is not None:
            group.remove()


def make_unified(hierarchies: Hierarchies, controllers: frozenset[str], name: str) -> Group | None:
    """Make a group of version 2: below our own, or below one above it in which the controllers can be enabled."""
    for folder in list_unified(hierarchies):
        try:
            available = set((folder / "cgroup.controllers").read_text(encoding="ascii").split())
            if controllers <= available:
                enabled = set((folder / "cgroup.subtree_control").read_text(encoding="ascii").split())
                missing = sorted(controllers - enabled)
                if missing:
                    write(folder / "cgroup.subtree_control", " ".join(f"+{controller}" for controller in missing))
                (folder / name).mkdir()
                return Group(dict.fromkeys(controllers, folder / name), unified=True)
        except OSError as error:  # EACCES, EPERM, EROFS: not delegated to us; EBUSY: it has processes of its own
            debug(__name__, "no group below %s: %s", folder, error)
    return None


def list_unified(hierarchies: Hierarchies) -> Iterator[Path]:
    """Yield the folder of our own group of version 2, and those above it."""
    folder, root = hierarchies.unified, hierarchies.unified_root
    while folder is not None and root is not None:
        yield folder
        folder = folder.parent if folder not in {root, folder.parent} else None


def make_by_controller(hierarchies: Hierarchies, controllers: frozenset[str], name: str) -> Group | None:
    """Make a group of version 1 in the hierarchy of each controller that lets us."""
    made: dict[str, Path] = {}
    for controller in sorted(controllers):
        above = hierarchies.by_controller.get(controller)
        if above is None:
            continue
        folder = above / name
        with contextlib.suppress(OSError):  # EACCES, EPERM, EROFS: not ours
            if folder not in made.values():
                folder.mkdir()
            made[controller] = folder
    return Group(made, unified=False) if made else None


def remove_dead(hierarchies: Hierarchies) -> None:
    """Remove the groups that a killed rtrace left here: those whose maker and whose processes are gone."""
    folders = {*hierarchies.by_controller.values(), *list_unified(hierarchies)}
    for folder in folders:
        with contextlib.suppress(OSError):  # EACCES: not ours to look at
            for entry in os.scandir(folder):
                maker = entry.name[len(PREFIX) :].partition("-")[0]
                if entry.name.startswith(PREFIX) and maker.isdigit() and not os.path.exists(f"/proc/{maker}"):
                    with contextlib.suppress(OSError):  # EBUSY: it has processes; EACCES: another user's
                        os.rmdir(entry.path)
