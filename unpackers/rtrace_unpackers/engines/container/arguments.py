"""The engine's arguments that make a target's container, limit it and run something in it: a pure plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from rtrace.bundle.entry import Entry
from rtrace.errors import HostileBundleError, TargetError
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Run
from rtrace.printable import printable
from rtrace.replay.grants import Grants
from rtrace_unpackers.engines.belonging.identity import Identity
from rtrace_unpackers.engines.engine.facts import Abilities
from rtrace_unpackers.engines.image.dockerfile import FOLDER, PAUSE

MEMORY_SIZE = "1g"
"""The size /dev/shm may grow to; Docker's own default is 64 MiB, which a program that does not expect it dies of."""

KEPT_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
"""What a replayed root needs to be one to its own files and processes. Docker's default set has besides: MKNOD,
NET_RAW and AUDIT_WRITE, which reach the machine's devices, network and log."""

PROXIES = ("ALL_PROXY", "FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
"""Docker's command line hands the caller's proxies, passwords included, to every container that does not set these."""

LARGEST_ID = (1 << 31) - 1
"""The largest user or group that an engine takes; beyond, up to 2**32 - 2, the kernel knows more."""
NO_ID = (1 << 32) - 1
"""(uid_t) -1, which to chown(2) and setresuid(2) says "leave it as it is": a program would stay root."""

PERIOD = 100_000
"""Microseconds; a container gets its share of the processors in each such period."""
LEAST_QUOTA = 1000
NO_MEMORY_LIMIT = 1 << 50
"""More than any machine has: an engine's update knows no way back to none."""

MOST_FILES, MOST_PROCESSES = 1 << 20, 1 << 15
"""What Podman makes its own limits before it starts anything, so that it cannot give a container more."""

_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?\Z")


def refuse_ids(runs: Iterable[Run], entries: Iterable[Entry]) -> None:
    """Raise HostileBundleError for numbers that are no ids, TargetError for ids that no engine runs programs with."""
    for entry in entries:
        if not (0 <= entry.uid < NO_ID and 0 <= entry.gid < NO_ID):
            raise HostileBundleError(
                f"{printable(entry.path)} belongs to {entry.uid}:{entry.gid}, and {NO_ID} is no id; nothing was written"
            )
    for run in runs:
        ids = (run.uid, run.gid, *run.groups)
        if any(not 0 <= number < NO_ID for number in ids):
            raise HostileBundleError(f"a run has the ids {ids}, and {NO_ID} is no id; nothing was written")
        if max(ids) > LARGEST_ID:
            raise TargetError(
                f"engines run programs with ids up to {LARGEST_ID}, and a run has {max(ids)}; use the chroot unpacker"
            )


def refuse_grants(grants: Grants) -> None:
    """Raise TargetError for what a container that exists already cannot be given."""
    for wanted, what in ((grants.display, "a display (--x11)"), (grants.gpu, "a graphics processor (--gpu)")):
        if wanted:
            raise TargetError(f"a docker target cannot be given {what}; use the chroot unpacker")


def plan_container(  # noqa: PLR0913 -- what a container is, in one place
    runs: Sequence[Run],
    image: str,
    identity: Identity,
    labels: Mapping[str, str],
    limits: Limits = DEFAULT_LIMITS,
    *,
    keeps_shared_memory: bool = False,
    forbids_dumps: bool = True,
    gives_own_limits: bool = False,
) -> tuple[str, ...]:
    """Return the engine's arguments that create the container of a target: no network, no new privileges.

    Its first process reads its standard input, and ends when that does. It is root's, so that no other user's program
    can signal it, and since an engine gives a program of root's no capabilities in a container of somebody else's.
    With ``keeps_shared_memory`` its /dev/shm is a volume that begins with the image's files and stays with it. With
    ``forbids_dumps`` a crash in it hands no memory to the machine. With ``gives_own_limits`` it may open as many files
    and have as many processes as rtrace itself; Podman gives others else, and starts nothing where it may not.
    """
    first = runs[0]
    memory = f"--volume={SHARED_MEMORY.decode()}" if keeps_shared_memory else f"--shm-size={MEMORY_SIZE}"
    groups = sorted({group for run in runs for group in run.groups} - {first.gid})
    return (
        "create",
        "--pull=never",
        f"--name={identity.container}",
        *(f"--label={name}={value}" for name, value in labels.items()),
        "--interactive",
        "--user=0:0",
        "--restart=no",
        "--log-driver=none",
        "--network=none",
        "--security-opt=no-new-privileges",
        *(["--ulimit=core=1"] if forbids_dumps else []),  # 0 would not keep a handler from being started: see core(5)
        *(plan_own_limits() if gives_own_limits else ()),
        "--cap-drop=ALL",
        *(f"--cap-add={name}" for name in KEPT_CAPABILITIES),
        *(f"--env={name}=" for proxy in PROXIES for name in (proxy, proxy.lower())),
        *chain.from_iterable(plan_limits(limits, {}).values()),
        memory,
        *([f"--hostname={first.hostname}"] if _HOSTNAME.match(first.hostname) else []),
        *(f"--group-add={group}" for group in groups),
        image,
        f"{FOLDER}/{PAUSE}",
    )


def plan_own_limits() -> Iterator[str]:
    """Yield the options that give a container this process's limits of open files and of processes."""
    import resource  # not everywhere

    for name, most in (("nofile", MOST_FILES), ("nproc", MOST_PROCESSES)):
        limits = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))
        soft, hard = (most if limit == resource.RLIM_INFINITY else min(limit, most) for limit in limits)
        yield f"--ulimit={name}={soft}:{hard}"


def plan_execution(run: Run, container: str, *, is_terminal: bool) -> tuple[str, ...]:
    """Return the engine's arguments that execute something in a container as the run's user."""
    return (
        "exec",
        "--interactive",
        *(["--tty"] if is_terminal else []),
        f"--user={run.uid}:{run.gid}",
        "--workdir=/",
        container,
    )


def plan_limits(limits: Limits, has: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the engine's options that give a container other limits than it has, by what they limit.

    ``has`` is the ``HostConfig`` that an engine tells of it. Memory is memory and swap together.
    """
    memory = NO_MEMORY_LIMIT if limits.memory is None else limits.memory
    quota = -1 if limits.cpus is None else max(LEAST_QUOTA, int(limits.cpus * PERIOD))
    processes = -1 if limits.processes is None else limits.processes
    options: dict[str, tuple[str, ...]] = {}
    if (has.get("Memory") or NO_MEMORY_LIMIT) != memory:
        options["memory"] = (f"--memory={memory}", f"--memory-swap={memory}")
    if (has.get("CpuQuota") or -1) != quota:
        options["processors"] = (f"--cpu-period={PERIOD}", f"--cpu-quota={quota}")
    if (has.get("PidsLimit") or -1) != processes:
        options["processes"] = (f"--pids-limit={processes}",)
    return options


def keep_possible(limits: Limits, abilities: Abilities) -> Limits:
    """Return the limits that the engine's machine can keep."""
    return replace(
        limits,
        memory=limits.memory if abilities.memory else None,
        cpus=limits.cpus if abilities.cpus else None,
        processes=limits.processes if abilities.processes else None,
    )


def tell_missing(limits: Limits, abilities: Abilities) -> tuple[str, ...]:
    """Return a sentence for each limit that the engine's machine cannot keep."""
    missing = {
        "memory": limits.memory is not None and not abilities.memory,
        "processors": limits.cpus is not None and not abilities.cpus,
        "processes": limits.processes is not None and not abilities.processes,
    }
    return tuple(
        f"the engine's machine has no cgroup controller for {name}: the replay ran without this limit"
        for name, is_missing in missing.items()
        if is_missing
    )


def tell_closed(allowed: Iterable[str]) -> tuple[str, ...]:
    """Return a sentence for each thing that a person allowed and a container does not."""
    return tuple(f"a container does not allow {name}; use the chroot unpacker for that" for name in sorted(allowed))
