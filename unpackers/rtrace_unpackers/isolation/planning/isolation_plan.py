"""What a replay in namespaces will do, as a value: nothing here touches the system."""

from __future__ import annotations

from dataclasses import dataclass

from rtrace.errors import TargetError
from rtrace.manifest.model import Descriptor, Input, Run
from rtrace.replay.changing import change_environment
from rtrace_unpackers.isolation.kernel.mounting import MountFlag
from rtrace_unpackers.isolation.kernel.namespaces import Namespace
from rtrace_unpackers.isolation.planning.opened import (
    NOTHING_OPENED,
    Opened,
    list_variables,
    plan_device,
    plan_opened,
)
from rtrace_unpackers.isolation.planning.operations import (
    BringUpLoopback,
    EnterOverlay,
    EnterRoot,
    EnterTree,
    Hide,
    MakeDirectory,
    MakeReadOnly,
    MakeSymlink,
    Mount,
    MountAround,
    Operation,
    Set,
    SetHostname,
)
from rtrace_unpackers.isolation.users.access import Access

DEVICES = (b"null", b"zero", b"full", b"random", b"urandom", b"tty")
"""The devices that every program may use. They are the machine's own: to use, not to change, for a replay owns none."""

DEVICES_OPENED = frozenset(b"/dev/" + name for name in DEVICES)
DEVICE_LINKS = (
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
    (b"ptmx", b"pts/ptmx"),
)

# A replayed root is uid 0 to these files, whatever its capabilities: through them it would configure the host.
READ_ONLY_IN_PROC = (b"bus", b"fs", b"irq", b"sys", b"sysrq-trigger")
HIDDEN_IN_PROC = (
    b"acpi",
    b"asound",
    b"interrupts",
    b"kcore",
    b"kmsg",
    b"keys",
    b"latency_stats",
    b"scsi",
    b"sched_debug",
    b"timer_list",
)
HIDDEN_IN_SYS = (b"firmware", b"devices/virtual/powercap", b"kernel/debug", b"kernel/tracing")

# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT,
# AUDIT_WRITE, SETFCAP: Docker's default set without MKNOD, since no device cgroup stands behind it here.
KEPT_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31)

LONGEST_HOSTNAME = 64
NOTHING_SPECIAL = MountFlag.NO_SETUID | MountFlag.NO_DEVICES | MountFlag.NO_EXECUTION


@dataclass(frozen=True, slots=True)
class Program:
    """What is executed in the end, and as whom. ``groups`` is None where they cannot be set (a user namespace).

    ``stdin`` is the file to read from instead of the caller's standard input, ``descriptors`` what it is given besides.
    """

    binary: bytes
    argv: tuple[bytes, ...]
    environ: tuple[bytes, ...]
    workingdir: bytes
    umask: int
    uid: int
    gid: int
    groups: tuple[int, ...] | None
    stdin: Input | None = None
    descriptors: tuple[Descriptor, ...] = ()

    @property
    def pipes(self) -> tuple[Descriptor, ...]:
        """The descriptors besides the standard streams that are pipes with content."""
        return tuple(one for one in self.descriptors if one.kind == "pipe")

    @property
    def closed(self) -> frozenset[int]:
        """The standard streams that are closed when it begins."""
        return frozenset(one.number for one in self.descriptors if one.kind == "closed")


@dataclass(frozen=True, slots=True)
class Isolation:
    """A replay: its namespaces, its access to the files, its set-up and its program.

    ``allowed`` names what the filter of calls lets through that it refuses otherwise. With ``gives_sockets`` the caller
    gets sockets of the replay's network.
    """

    namespaces: Namespace
    access: Access
    setup: tuple[Operation, ...]
    program: Program
    allowed: frozenset[str] = frozenset()
    gives_sockets: bool = False


@dataclass(frozen=True, slots=True)
class FrozenWorld:
    """What a frozen replay finds: settings of the kernel, files in the place of others, the name of the machine."""

    settings: tuple[Set, ...] = ()
    files: tuple[Operation, ...] = ()
    hostname: bytes | None = None


AS_IT_IS = FrozenWorld()


def plan_isolation(  # noqa: PLR0913 -- each is a choice of its own
    run: Run,
    access: Access,
    *,
    opened: Opened = NOTHING_OPENED,
    allowed: frozenset[str] = frozenset(),
    shared_memory: int | None = None,
    keeps_shared_memory: bool = False,
    is_layered: bool = False,
    frozen: FrozenWorld = AS_IT_IS,
) -> Isolation:
    """Plan the replay of a run in a tree, to whose files there is some access.

    ``opened`` is what of the machine it may use. ``shared_memory`` is what /dev/shm may hold, in bytes; with
    ``keeps_shared_memory`` it is the tree's own folder. With ``is_layered`` the tree is shared with others, and what is
    changed lies elsewhere. ``frozen`` is what it finds in the place of what this machine has.
    Raises TargetError for a hostname that none can be.
    """
    hostname = run.hostname.encode("utf-8", "surrogateescape")
    if len(hostname) > LONGEST_HOSTNAME:
        raise TargetError(f"the hostname of {run.id} has {len(hostname)} bytes; Linux takes at most {LONGEST_HOSTNAME}")
    namespaces = Namespace.USER | Namespace.MOUNT | Namespace.UTS | Namespace.IPC | Namespace.PID | Namespace.CGROUP
    if not opened.network:
        namespaces |= Namespace.NET
    groups = tuple(group for group in run.groups if access.maps.groups.holds(group))
    environ = change_environment(run.environ, list_variables(opened.display))
    program = Program(
        binary=run.binary,
        argv=run.argv,
        environ=tuple(name if value is None else name + b"=" + value for name, value in environ),
        workingdir=run.workingdir,
        umask=run.umask,
        uid=run.uid,
        gid=run.gid,
        groups=groups if access.has_groups else None,
        stdin=run.stdin,
        descriptors=run.descriptors,
    )
    setup = (
        Mount(b"/", flags=MountFlag.RECURSIVE | MountFlag.PRIVATE),
        EnterOverlay() if is_layered else EnterTree(),
        *plan_devices(shared_memory, keeps_shared_memory=keeps_shared_memory),
        *plan_proc(frozen.settings),
        *plan_sys(),
        *frozen.files,
        *plan_opened(opened),
        SetHostname(frozen.hostname or hostname),
        *(() if opened.network else (BringUpLoopback(),)),
        EnterRoot(),
    )
    return Isolation(namespaces, access, setup, program, allowed, gives_sockets=opened.ports)


def plan_devices(size: int | None, *, keeps_shared_memory: bool) -> tuple[Operation, ...]:
    """Build a /dev of the few devices that every program may use."""
    devices = Mount(b"dev", b"tmpfs", b"tmpfs", MountFlag.NO_SETUID, b"mode=755,size=64k")
    terminals = MountFlag.NO_SETUID | MountFlag.NO_EXECUTION
    return (
        MakeDirectory(b"dev"),
        MountAround(devices, b"dev/shm") if keeps_shared_memory else devices,
        *(step for device in DEVICES for step in plan_device(device)),
        *(MakeSymlink(b"dev/" + name, target) for name, target in DEVICE_LINKS),
        MakeDirectory(b"dev/pts"),
        Mount(b"dev/pts", b"devpts", b"devpts", terminals, b"newinstance,ptmxmode=0666,mode=0620"),
        *(() if keeps_shared_memory else plan_shared_memory(size)),
    )


def plan_shared_memory(size: int | None) -> tuple[Operation, ...]:
    """Mount an empty /dev/shm that holds so many bytes, and is gone after the replay."""
    options = b"mode=1777" + (b"" if size is None else b",size=%d" % size)
    return (
        MakeDirectory(b"dev/shm"),
        Mount(b"dev/shm", b"shm", b"tmpfs", MountFlag.NO_SETUID | MountFlag.NO_DEVICES, options),
    )


def plan_proc(settings: tuple[Set, ...] = ()) -> tuple[Operation, ...]:
    """Mount a /proc that shows the replay's processes alone and lets nobody configure the kernel.

    ``settings`` are made before that.
    """
    return (
        MakeDirectory(b"proc", 0o555),
        Mount(b"proc", b"proc", b"proc", NOTHING_SPECIAL),
        *settings,
        *(MakeReadOnly(b"proc/" + name) for name in READ_ONLY_IN_PROC),
        *(Hide(b"proc/" + name) for name in HIDDEN_IN_PROC),
    )


def plan_sys() -> tuple[Operation, ...]:
    """Mount a read-only /sys where the kernel allows it: a user's replay that shares the network has none."""
    return (
        MakeDirectory(b"sys", 0o555),
        Mount(b"sys", b"sysfs", b"sysfs", NOTHING_SPECIAL | MountFlag.READ_ONLY, optional=True),
        *(Hide(b"sys/" + name) for name in HIDDEN_IN_SYS),
    )
